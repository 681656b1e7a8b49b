-- Returns the permission of a probe that had no outcome.
--
-- KEYS[1] the permission   ARGV[1] token of the caller

if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
