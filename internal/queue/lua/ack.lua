-- Ends a run with a script of asynq, which replaces the line ASYNQ below, if the run still has its
-- task. Then the task of the digest that waits behind it can run. A run whose task another one
-- superseded in requeue.lua ends with asynq's script for success, which deletes the task.
--
-- KEYS and ARGV are asynq's, where ARGV[1] is the task's ID, and after them:
-- ARGV[last - 3] token of the run   ARGV[last - 2] front if a task that is to run again at once is
-- the next of its lane
-- The last two are those of demand.lua.
--
-- Returns what asynq's script returns, or STALE.

local function theirs()
ASYNQ
end

local id = ARGV[1]
if not current(id, ARGV[#ARGV - 3]) then return redis.status_reply('STALE') end
local reply = theirs()
if type(reply) == 'table' and reply.err then return reply end
local state = redis.call('HGET', task .. id, 'state')
if state then
  local again = redis.call('HGET', task .. id, 'again')
  redis.call('HDEL', task .. id, 'mark', 'again')
  if again and state == 'retry' then redis.call('ZADD', retry, 'XX', again, id) end
end
if state == 'retry' and ARGV[#ARGV - 2] == 'front' and tonumber(redis.call('ZSCORE', retry, id) or now + 2) <= now + 1 then
  redis.call('ZREM', retry, id)
  front(id)
  state = 'pending'
end
local record = recordOf(id)
if record then
  if state == 'pending' or state == 'retry' then relist(record, id) end
  release(record, id)
end
return reply
