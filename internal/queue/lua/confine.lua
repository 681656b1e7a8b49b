-- Adds a task to a quarantine lane. Repeating the call changes nothing.
--
-- KEYS[1] pending of the quarantine lane
-- ARGV[1] task ID   ARGV[2] message   ARGV[3] token of its last run   ARGV[4] crashes
-- The last two are those of demand.lua.
--
-- Returns 1 if it was added.

local id = ARGV[1]
if redis.call('EXISTS', task .. id) == 1 then return 0 end
redis.call('HSET', task .. id, 'msg', ARGV[2], 'run', ARGV[3], 'crashed', ARGV[3], 'crashes', ARGV[4],
  'state', 'pending', 'pending_since', micros .. '000')
redis.call('LPUSH', pending, id)
return 1
