-- Returns a worker's turn.
--
-- KEYS[1] pending   KEYS[2] turn
-- ARGV[1] the worker
-- The last two are those of demand.lua.
--
-- Returns 1 if it had the turn.

if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[2])
