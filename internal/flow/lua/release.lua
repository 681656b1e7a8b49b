-- Releases the permission of a probe without a conclusive outcome.
--
-- KEYS[1] the breaker's probe
-- ARGV[1] token of the caller
--
-- Returns 1 when it was released, 0 when it had expired before.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
