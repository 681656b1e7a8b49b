-- Refunds a slot that was not used, unless a later one was granted.
--
-- KEYS[1] budget of the operation (see acquire.lua)
-- ARGV[1] next after the grant   ARGV[2] next before the grant
--
-- Returns 1 when refunded, 0 when the slot is lost.

if redis.call('HGET', KEYS[1], 'next') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'next', ARGV[2])
return 1
