-- Permits one caller of the fleet to send a probe. The permission expires, so that a prober that
-- dies does not block the others for long.
--
-- KEYS[1] breaker (see read.lua)   KEYS[2] its probe
-- ARGV[1] token of the caller   ARGV[2] life of the permission in ms   ARGV[3] gen that was read
--
-- Returns {decision, wait in microseconds}. 1: send the probe. 0: another probe is in flight, or it
-- is too early; wait. 2: the breaker has changed; read it again.

local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local f = redis.call('HMGET', KEYS[1], 'until', 'gen')
if (tonumber(f[2] or '') or 0) ~= tonumber(ARGV[3]) then return {2, 0} end
local upto = tonumber(f[1] or '') or 0
if upto > now then return {0, upto - now} end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return {1, 0} end
return {0, math.max(redis.call('PTTL', KEYS[2]), 0) * 1000}
