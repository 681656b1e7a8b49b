-- Permits one caller of the fleet to send a probe, or the first call of a login. The permission
-- expires, so that a prober that dies does not block the others for long.
--
-- ARGV[1] token of the caller   ARGV[2] life of the permission in ms   ARGV[3] gen that was read
-- ARGV[4] the caller's login, or ''
--
-- Returns {decision, wait in microseconds}. 1: send the probe. 0: another probe is in flight, or it
-- is too early; wait. 2: the breaker has changed; read it again.

if b.gen ~= tonumber(ARGV[3]) then return {2, 0} end
if b['until'] > now and concerns(ARGV[4]) then return {0, b['until'] - now} end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return {1, 0} end
return {0, math.max(redis.call('PTTL', KEYS[2]), 0) * 1000}
