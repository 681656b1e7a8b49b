-- Lets a task wait that was popped by a worker in which an earlier run of it has not ended.
--
-- KEYS[1] pending
-- ARGV[1] task ID   ARGV[2] token of the run   ARGV[3] the wait in seconds
-- The last two are those of demand.lua.
--
-- Returns 1 if it waits.

local id = ARGV[1]
if not current(id, ARGV[2]) then return 0 end
redis.call('ZREM', lease, id)
redis.call('LREM', active, 0, id)
local record = recordOf(id)
if record then
  release(record, id)
  relist(record, id)
end
redis.call('HSET', task .. id, 'state', 'scheduled', 'parked', '1')
redis.call('ZADD', scheduled, math.ceil(now + ARGV[3]), id)
return 1
