-- Takes the next task of a lane and gives its run a lease and a token. A task whose digest runs
-- already is parked: it is scheduled until that run ends. Entries without a task, and second
-- entries of a task, are dropped.
--
-- KEYS[1] pending   KEYS[2] paused   KEYS[3] turn, only for a quarantine lane
-- ARGV[1] length of a lease in seconds   ARGV[2] how long a task is parked at most
-- ARGV[3] the worker, only for a quarantine lane
-- The last two are those of demand.lua.
--
-- Returns {id, message, token, crashes}, or nil if there is none.

if redis.call('EXISTS', KEYS[2]) == 1 then return false end
-- In quarantine one task of the whole fleet runs at a time.
if KEYS[3] and (redis.call('GET', KEYS[3]) ~= ARGV[3] or redis.call('ZCARD', lease) > 0) then return false end

-- elsewhere reports whether a task is not really pending: it runs, or waits for a time.
local function elsewhere(id, state)
  if state == 'active' then return tonumber(redis.call('ZSCORE', lease, id) or 0) > now end
  if state == 'scheduled' then return redis.call('ZSCORE', scheduled, id) end
  if state == 'retry' then return redis.call('ZSCORE', retry, id) end
  return false
end

local function park(record, id)
  redis.call('ZADD', scheduled, math.ceil(now + ARGV[2]), id)
  redis.call('HSET', task .. id, 'state', 'scheduled', 'parked', '1')
  redis.call('HDEL', task .. id, 'pending_since', 'booked')
  for _, other in ipairs(listed(record)) do
    if other == id then return end
  end
  relist(record, id)
end

local function take(record, id, f)
  local token = string.format('%.0f', math.max(tonumber(micros), (tonumber(f[3]) or 0) + 1))
  redis.call('LPUSH', active, id)
  redis.call('ZADD', lease, string.format('%.3f', now + ARGV[1]), id)
  redis.call('HSET', task .. id, 'state', 'active', 'run', token)
  redis.call('HDEL', task .. id, 'pending_since', 'parked', 'booked', 'again', 'mark')
  if record then
    redis.call('HSET', record, 'run', id)
    redis.call('HDEL', record, 'held')
    keep(record, life)
  end
  return {id, f[1], token, f[4] or '0'}
end

for _ = 1, 100 do
  local id = redis.call('LINDEX', pending, -1)
  if not id then return false end
  -- All that can fail comes before the task leaves the list.
  local f = fields(id, 'msg', 'state', 'run', 'crashes')
  local record = recordOf(id)
  local drop = f[1] and elsewhere(id, f[2])
  local wait = f[1] and not drop and record and busy(record, id)
  redis.call('RPOP', pending)
  if not f[1] then
    redis.call('DEL', task .. id)
  elseif wait then
    park(record, id)
  elseif not drop then
    return take(record, id, f)
  end
end
return false
