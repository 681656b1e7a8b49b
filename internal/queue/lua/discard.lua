-- Archives a task that was popped and cannot be read, so that it runs no more and stays visible.
--
-- KEYS[1] pending
-- ARGV[1] task ID   ARGV[2] token of the run
-- The last two are those of demand.lua.
--
-- Returns 1 if it was archived.

local id = ARGV[1]
if not current(id, ARGV[2]) then return 0 end
redis.call('ZREM', lease, id)
redis.call('LREM', active, 0, id)
redis.call('ZADD', base .. 'archived', clock[1], id)
redis.call('HSET', task .. id, 'state', 'archived')
local record = recordOf(id)
if record then
  unlist(record, id)
  release(record, id)
end
return 1
