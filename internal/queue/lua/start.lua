-- Increments the generation before a task's user code runs. Repeating the call changes nothing.
--
-- KEYS[1] generation
-- ARGV[1] generation of the task   ARGV[2] life of the generation in seconds
--
-- Returns the generation of later demands.

local g = redis.call('GET', KEYS[1])
if not g then redis.call('SET', KEYS[1], ARGV[1]) end
if not g or g == ARGV[1] then redis.call('INCR', KEYS[1]) end
if redis.call('TTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('EXPIRE', KEYS[1], ARGV[2]) end
return redis.call('GET', KEYS[1])
