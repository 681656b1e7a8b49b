-- Grants nothing for a while, because the vendor asked for it. A longer block stays.
--
-- KEYS[1] budget of the operation (see acquire.lua)
-- ARGV[1] how long, in microseconds   ARGV[2] life of the hash in ms
--
-- Returns the end of the block.

local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local blocked = math.max(tonumber(redis.call('HGET', KEYS[1], 'blocked') or '') or 0, now + ARGV[1])
redis.call('HSET', KEYS[1], 'blocked', string.format('%.0f', blocked))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return string.format('%.0f', blocked)
