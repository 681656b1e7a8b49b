-- Adds a task to a quarantine lane. Repeating the call changes nothing. What is left there of the
-- task from before it was replayed is replaced.
--
-- KEYS[1] pending of the quarantine lane
-- ARGV[1] task ID   ARGV[2] message   ARGV[3] token   ARGV[4] crashes
-- ARGV[5] token of the last run that crashed
-- The last two are those of demand.lua.
--
-- Returns 1 if it was added.

local id = ARGV[1]
local f = fields(id, 'msg', 'state', 'run')
if f[1] and (f[2] ~= 'archived' or (tonumber(f[3]) or 0) > (tonumber(ARGV[5]) or 0)) then return 0 end
redis.call('ZREM', base .. 'archived', id)
redis.call('DEL', task .. id)
redis.call('HSET', task .. id, 'msg', ARGV[2], 'run', ARGV[3], 'crashed', ARGV[5], 'crashes', ARGV[4],
  'state', 'pending', 'pending_since', micros .. '000')
redis.call('LPUSH', pending, id)
return 1
