-- Lets one caller of the fleet try whether what a breaker guards works again. The permission ends by itself, so that a
-- prober that dies blocks nobody for long.
--
-- KEYS[1] breaker (see read.lua)   KEYS[2] its probe
-- ARGV[1] token of the caller   ARGV[2] life of the permission in ms   ARGV[3] gen that was seen
--
-- Returns {verdict, wait in microseconds}. 1: go. 0: another one tries, or it is too early; wait. 2: the breaker has
-- changed; look again.

local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local f = redis.call('HMGET', KEYS[1], 'until', 'gen')
if (tonumber(f[2] or '') or 0) ~= tonumber(ARGV[3]) then return {2, 0} end
local upto = tonumber(f[1] or '') or 0
if upto > now then return {0, upto - now} end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return {1, 0} end
return {0, math.max(redis.call('PTTL', KEYS[2]), 0) * 1000}
