-- Prepares the end of a run whose task is to wait again. If an equal task waits that would run no
-- later, that one takes over: it inherits the failures, the wait and the reason. Otherwise demands
-- join the task itself.
--
-- KEYS[1] pending
-- ARGV[1] task ID   ARGV[2] token of the run   ARGV[3] seconds until the task is to run again
-- ARGV[4] number of failures   ARGV[5] the same as a field of a message
-- ARGV[6] reason and time as fields of a message   ARGV[7] life of the record in seconds
-- The last two are those of demand.lua.
--
-- Returns kept; superseded if another task took over, and asynq then drops this one as if it were
-- done; or stale if the run has lost its task.

local id, at = ARGV[1], math.ceil((now + ARGV[3]) * 1000) / 1000
if not current(id, ARGV[2]) then return 'stale' end
redis.call('HDEL', task .. id, 'mark')
local record = recordOf(id)
if not record then return 'kept' end

local heir, earliest, place
for _, other in ipairs(listed(record)) do
  local d, state = due(other)
  if other ~= id and d and d <= at and state ~= 'active' and (not heir or d < earliest) then
    heir, earliest, place = other, d, state
  end
end
if not heir then
  -- asynq knows whole seconds of the worker's clock; ack.lua puts the task to its time.
  if redis.call('HEXISTS', task .. id, 'msg') == 1 then
    redis.call('HSET', task .. id, 'failures', ARGV[4], 'again', string.format('%.3f', at))
  end
  relist(record, id)
  keep(record, ARGV[7])
  return 'kept'
end

if place == 'pending' then redis.call('LREM', pending, 1, heir) else redis.call('ZREM', scheduled, heir) end
-- The heir may have failed itself; its count never goes back. It inherits no crash, because this
-- run has ended in order.
local own = redis.call('HMGET', task .. heir, 'msg', 'failures')
local message = own[1]
if tonumber(ARGV[4]) >= tonumber(own[2] or 0) then
  message = message .. ARGV[5]
  redis.call('HSET', task .. heir, 'failures', ARGV[4])
end
redis.call('HSET', task .. heir, 'msg', message .. ARGV[6], 'state', 'retry')
redis.call('HDEL', task .. heir, 'parked', 'booked', 'pending_since')
redis.call('ZADD', retry, string.format('%.3f', at), heir)
local f = fields(id, 'urged', 'replayed', 'demanded')
if f[1] then redis.call('HSET', task .. heir, 'urged', f[1]) end
if f[2] then redis.call('HSET', task .. heir, 'replayed', f[2]) end
if f[3] then demandedAt(heir, tonumber(f[3])) else redis.call('HDEL', task .. heir, 'demanded') end
local g, was = undoable(record)
if g == generationOf(id) then redis.call('HSET', record, 'before', generationOf(heir) .. ' ' .. was) end
return 'superseded'
