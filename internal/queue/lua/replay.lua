-- Requeues a dead task, so that demands join it again. The script does nothing if the task already
-- waits or runs. If the task has succeeded since, or a later task of its digest runs now or has
-- begun, it only removes the remains of the dead task. A task that waits to do the work instead is
-- marked as replayed. Repeating the call changes nothing else.
--
-- KEYS[1] pending   KEYS[2] outcome
-- ARGV[1] task ID   ARGV[2] digest   ARGV[3] generation   ARGV[4] message
-- ARGV[5] now in nanoseconds, asynq's
-- The last two are those of demand.lua.
--
-- Returns queued, waiting, running, done or superseded.

local id, record = ARGV[1], records .. ARGV[2]
local d, place = due(id)
if place == 'active' then return 'running' end
if d then
  replayed(id)
  return 'waiting'
end

local result, other = 'queued', nil
local outcome = redis.call('GET', KEYS[2])
if outcome and string.find(outcome, '"state":"done"', 1, true) then
  result = 'done'
elseif tonumber(read(record, 'begun')[1] or 0) > tonumber(ARGV[3]) then
  result = 'superseded'
else
  for _, waits in ipairs(listed(record)) do
    local at = due(waits)
    if at and at <= now then result, other = 'superseded', waits end
  end
end

redis.call('ZREM', base .. 'archived', id)
redis.call('DEL', task .. id)
if other then replayed(other) end
if result ~= 'queued' then return result end

redis.call('HSET', task .. id, 'msg', ARGV[4], 'state', 'pending', 'pending_since', ARGV[5],
  'replayed', '1', 'demanded', micros)
redis.call('LPUSH', pending, id)
if tonumber(ARGV[3]) > tonumber(redis.call('HGET', record, 'gen') or 0) then redis.call('HSET', record, 'gen', ARGV[3]) end
relist(record, id)
return result
