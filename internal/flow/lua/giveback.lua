-- Gives a slot back that was not used, if nobody was granted a later one.
--
-- KEYS[1] pace of the operation (see take.lua)
-- ARGV[1] next, as the grant left it   ARGV[2] next before the grant
--
-- Returns 1 when given back, 0 when the slot is lost.

if redis.call('HGET', KEYS[1], 'next') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'next', ARGV[2])
return 1
