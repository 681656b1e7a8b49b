-- Adds a task, or joins one that waits. The script writes only after all checks.
--
-- KEYS[1] pending   KEYS[2] generation of an earlier release
-- KEYS[3] idempotency key, or none   KEYS[4] that of an earlier release
-- ARGV[1] digest   ARGV[2] lane   ARGV[3] generation the message is sealed for   ARGV[4] message
-- ARGV[5] Unix second to run at, 0 now   ARGV[6] now in nanoseconds, asynq's
-- ARGV[7] life of the record in seconds   ARGV[8] life of the idempotency key
-- ARGV[9] urgent if a user waits   ARGV[10] number of tasks of a digest that may wait
-- ARGV[11] microseconds until the demand's place in the vendor's budget, '' if it has none
-- The last two are those of demand.lua.
--
-- Returns {result, text, place}: added or joined with the task ID; repeated with the task ID of the
-- first call; stale with the generation to seal for. The place is one that is not needed: own for
-- that of the demand, a time in microseconds for the former one of the task, or ''.

if KEYS[3] then
  local first = redis.call('GET', KEYS[3]) or redis.call('GET', KEYS[4])
  if first then return {'repeated', first, 'own'} end
end

local record = records .. ARGV[1]
local at = tonumber(ARGV[5])
-- When the demand's task is to be scheduled; 0 means pending.
local place = tonumber(ARGV[11])
local slot = at
if place and place > 0 then slot = math.max(at, math.ceil(now * 1000 + place / 1000) / 1000) end

-- The tasks that wait, the one to join, which is the first that does not run before the time, and
-- the last one that no worker has.
local ids, join, joinAt, joinPlace, last, lastAt, lastPlace
local former = redis.call('GET', KEYS[2])

-- begun reports whether a worker of an earlier release has started a task that it popped.
local function begun(id)
  local g = string.match(id, '^%l+%-[a-z2-7]+%-(%d+)$')
  return g and former and former ~= g
end

local function consider(id)
  local d, state = due(id)
  if not d or state == 'active' and begun(id) then return end
  table.insert(ids, id)
  if d >= at and (not join or d < joinAt) then join, joinAt, joinPlace = id, d, state end
  if state ~= 'active' and (not last or d > lastAt) then last, lastAt, lastPlace = id, d, state end
end
ids = {}
local known, before = listed(record)
for _, id in ipairs(known) do consider(id) end
if former then
  local other = ARGV[2] .. '-' .. ARGV[1] .. '-' .. former
  for _, id in ipairs(ids) do
    if id == other then other = nil end
  end
  if other then consider(other) end
end

local function finish(result, id, freed)
  local text = table.concat(ids, ' ')
  if text ~= before then redis.call('HSET', record, 'next', text) end
  keep(record, ARGV[7])
  demanded(id, at)
  if KEYS[3] then redis.call('SET', KEYS[3], id, 'EX', ARGV[8]) end
  return {result, id, freed or ''}
end

-- placeOf returns the place of a booked task as the script does.
local function placeOf(id) return string.format('%.0f', redis.call('ZSCORE', scheduled, id) * 1000000) end

-- put lets a task that is in no set but scheduled wait for the demand's place.
local function put(id)
  if slot == 0 then
    redis.call('ZREM', scheduled, id)
    redis.call('LPUSH', pending, id)
    redis.call('HSET', task .. id, 'state', 'pending', 'pending_since', ARGV[6])
    redis.call('HDEL', task .. id, 'booked')
    return
  end
  redis.call('ZADD', scheduled, slot == at and ARGV[5] or string.format('%.3f', slot), id)
  redis.call('HSET', task .. id, 'state', 'scheduled')
  if slot > at then redis.call('HSET', task .. id, 'booked', ARGV[5]) else redis.call('HDEL', task .. id, 'booked') end
end

-- delay lets the last task wait until the time.
local function delay()
  if lastPlace == 'retry' then
    redis.call('ZADD', retry, at, last)
    return 'own'
  end
  local freed = lastPlace == 'booked' and placeOf(last) or ''
  redis.call('LREM', pending, 1, last)
  redis.call('HDEL', task .. last, 'pending_since', 'parked')
  put(last)
  return freed
end

if not join and last and #ids >= tonumber(ARGV[10]) then
  local freed = delay() -- no demand may run early, and the other tasks follow the demands of this one
  return finish('joined', last, freed)
end

if join then
  -- The reply to the first try was lost.
  if redis.call('HGET', task .. join, 'msg') == ARGV[4] then return finish('added', join) end
  local freed = 'own'
  local score = (joinPlace == 'scheduled' or joinPlace == 'booked') and tonumber(redis.call('ZSCORE', scheduled, join))
  if score and (at < joinAt or place) and slot < score then
    freed = joinPlace == 'booked' and placeOf(join) or ''
    put(join)
  elseif score and at < joinAt then
    -- The demand's place is no earlier than the task runs anyway.
    redis.call('HSET', task .. join, 'booked', ARGV[5])
  elseif joinPlace == 'retry' and at == 0 and ARGV[9] == 'urgent' and redis.call('HSETNX', task .. join, 'urged', '1') == 1 then
    redis.call('ZREM', retry, join)
    front(join)
  end
  return finish('joined', join, freed)
end

local gen, guess = tonumber(redis.call('HGET', record, 'gen') or 0), tonumber(ARGV[3])
local id = ARGV[1] .. '.' .. ARGV[3] .. '.' .. ARGV[2]
if guess == gen and redis.call('HGET', task .. id, 'msg') == ARGV[4] then
  return finish('added', id) -- the reply to the first try was lost, and the task has started
end
if guess <= gen or (guess ~= gen + 1 and math.abs(guess / 1000000 - now) > 86400) then
  return {'stale', string.format('%.0f', math.max(gen + 1, tonumber(micros))), ''}
end

redis.call('HSET', record, 'gen', ARGV[3])
table.insert(ids, id)
redis.call('HSET', task .. id, 'msg', ARGV[4], 'demanded', '0')
put(id)
return finish('added', id)
