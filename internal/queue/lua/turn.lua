-- Takes or renews a worker's turn to run a task in quarantine, for which it takes no other task.
--
-- KEYS[1] pending   KEYS[2] turn   KEYS[3] paused
-- ARGV[1] the worker   ARGV[2] length of the turn in milliseconds   ARGV[3] take or renew
-- The last two are those of demand.lua.
--
-- Returns 1 if the worker has the turn.

local holder = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[1] then return 0 end
if not holder and (ARGV[3] == 'renew' or redis.call('LLEN', pending) == 0 or redis.call('ZCARD', lease) > 0
    or redis.call('EXISTS', KEYS[3]) == 1) then
  return 0
end
redis.call('DEL', KEYS[2]) -- a Redis that is full refuses SET, unless the script has removed something
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return 1
