-- Adds a task, or joins one that waits. The script writes only after all checks.
--
-- KEYS[1] pending   KEYS[2] generation of an earlier release
-- KEYS[3] idempotency key, or none   KEYS[4] that of an earlier release
-- ARGV[1] digest   ARGV[2] lane   ARGV[3] generation the message is sealed for   ARGV[4] message
-- ARGV[5] Unix second to run at, 0 now   ARGV[6] now in nanoseconds, asynq's
-- ARGV[7] life of the record in seconds   ARGV[8] life of the idempotency key
-- ARGV[9] urgent if a user waits   ARGV[10] number of tasks of a digest that may wait
-- The last two are those of demand.lua.
--
-- Returns {result, text}: added or joined with the task ID; repeated with the task ID of the first
-- call; stale with the generation to seal for.

if KEYS[3] then
  local first = redis.call('GET', KEYS[3]) or redis.call('GET', KEYS[4])
  if first then return {'repeated', first} end
end

local record = records .. ARGV[1]
local at = tonumber(ARGV[5])

-- The tasks that wait, the one to join, which is the first that does not run before the time, and
-- the last one that no worker has.
local ids, join, joinAt, place, last, lastAt, lastPlace
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
  if d >= at and (not join or d < joinAt) then join, joinAt, place = id, d, state end
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

local function finish(result, id)
  local text = table.concat(ids, ' ')
  if text ~= before then redis.call('HSET', record, 'next', text) end
  keep(record, ARGV[7])
  demanded(id, at)
  if KEYS[3] then redis.call('SET', KEYS[3], id, 'EX', ARGV[8]) end
  return {result, id}
end

-- delay lets the last task wait until the time.
local function delay()
  if lastPlace == 'retry' then return redis.call('ZADD', retry, at, last) end
  redis.call('ZADD', scheduled, at, last)
  redis.call('LREM', pending, 1, last)
  redis.call('HSET', task .. last, 'state', 'scheduled')
  redis.call('HDEL', task .. last, 'pending_since', 'parked')
end

if not join and last and #ids >= tonumber(ARGV[10]) then
  delay() -- no demand may run early, and the other tasks follow the demands of this one
  return finish('joined', last)
end

if join then
  if place == 'scheduled' and at == 0 then
    redis.call('ZREM', scheduled, join)
    redis.call('LPUSH', pending, join)
    redis.call('HSET', task .. join, 'state', 'pending', 'pending_since', ARGV[6])
  elseif place == 'scheduled' and at < joinAt then
    redis.call('ZADD', scheduled, at, join)
  elseif place == 'retry' and at == 0 and ARGV[9] == 'urgent' and redis.call('HSETNX', task .. join, 'urged', '1') == 1 then
    redis.call('ZREM', retry, join)
    front(join)
  end
  if redis.call('HGET', task .. join, 'msg') == ARGV[4] then return finish('added', join) end
  return finish('joined', join)
end

local gen, guess = tonumber(redis.call('HGET', record, 'gen') or 0), tonumber(ARGV[3])
local id = ARGV[1] .. '.' .. ARGV[3] .. '.' .. ARGV[2]
if guess == gen and redis.call('HGET', task .. id, 'msg') == ARGV[4] then
  return finish('added', id) -- the reply to the first try was lost, and the task has started
end
if guess <= gen or (guess ~= gen + 1 and math.abs(guess / 1000000 - now) > 86400) then
  return {'stale', string.format('%.0f', math.max(gen + 1, tonumber(micros)))}
end

redis.call('HSET', record, 'gen', ARGV[3])
table.insert(ids, id)
if at == 0 then
  redis.call('HSET', task .. id, 'msg', ARGV[4], 'state', 'pending', 'pending_since', ARGV[6])
  redis.call('LPUSH', pending, id)
else
  redis.call('HSET', task .. id, 'msg', ARGV[4], 'state', 'scheduled')
  redis.call('ZADD', scheduled, at, id)
end
return finish('added', id)
