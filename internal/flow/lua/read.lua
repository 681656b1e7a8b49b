-- Reads a breaker. Times are microseconds of the server's clock.
--
-- KEYS[1] breaker, a hash:
--   until   open: no call before this time, then one probe; absent or 0 when closed
--   opens   openings in a row              closed  time of the last closing by a probe
--   gen     counts openings and closings   reason  code of the failure that opened it
--
-- Returns {now, until, opens, closed, gen, reason}.

local t = redis.call('TIME')
local f = redis.call('HMGET', KEYS[1], 'until', 'opens', 'closed', 'gen', 'reason')
local out = {t[1] * 1000000 + t[2]}
for i = 1, 4 do out[i + 1] = tonumber(f[i] or '') or 0 end
out[6] = f[5] or ''
return out
