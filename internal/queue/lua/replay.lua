-- Requeues a dead task, so that demands join it again. The script does nothing if the task already
-- waits or runs. If the task has succeeded since, or another run of its digest waits or started
-- after its death, it only removes the remains of the dead task. Repeating the call changes
-- nothing.
--
-- KEYS[1] generation   KEYS[2] pending   KEYS[3] scheduled   KEYS[4] retry   KEYS[5] archived
-- KEYS[6] lease   KEYS[7] outcome
-- ARGV[1] prefix of task keys   ARGV[2] task ID up to its generation
-- ARGV[3] generation of the task
-- ARGV[4] the generation after it   ARGV[5] message   ARGV[6] now in nanoseconds, asynq's
-- ARGV[7] life of the generation in seconds   ARGV[8] task ID after its generation
--
-- Returns queued, waiting, running, done or superseded.

local function waits(id)
  local key = ARGV[1] .. id
  if redis.call('HEXISTS', key, 'msg') == 0 then return false end
  local state = redis.call('HGET', key, 'state')
  if state == 'pending' then return true end
  if state == 'active' then return redis.call('ZSCORE', KEYS[6], id) end
  if state == 'scheduled' then return redis.call('ZSCORE', KEYS[3], id) end
  if state == 'retry' then return redis.call('ZSCORE', KEYS[4], id) end
  return false
end

local id = ARGV[2] .. ARGV[3] .. ARGV[8]
local key = ARGV[1] .. id
if waits(id) then
  if redis.call('HGET', key, 'state') == 'active' then return 'running' end
  return 'waiting'
end

local result = 'queued'
local outcome = redis.call('GET', KEYS[7])
local g = redis.call('GET', KEYS[1])
if outcome and string.find(outcome, '"state":"done"', 1, true) then
  result = 'done'
elseif g and (tonumber(g) > tonumber(ARGV[4]) or waits(ARGV[2] .. g .. ARGV[8])) then
  result = 'superseded'
end

redis.call('ZREM', KEYS[5], id)
redis.call('DEL', key)
if result ~= 'queued' then return result end

redis.call('HSET', key, 'msg', ARGV[5], 'state', 'pending', 'pending_since', ARGV[6])
redis.call('LPUSH', KEYS[2], id)
redis.call('SET', KEYS[1], ARGV[3], 'EX', ARGV[7])
return result
