-- Ends a lease after a load without a value.
--
-- KEYS  1 lease
-- ARGV  1 token
-- returns 1 if the lease was the caller's, else 0
local held = redis.call('GET', KEYS[1])
if not held or held:sub(17) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
return 1
