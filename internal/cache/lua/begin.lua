-- Draws a stamp for a load that is about to begin, without a lease: the caller stores many entries
-- from one call to the source, and prevents concurrent calls by other means.
--
-- KEYS  1 meta
-- ARGV  1 epoch to begin if one must begin
-- returns {stamp, epoch}
local m = redis.call('HMGET', KEYS[1], 'e', 'c', 'h')
local e, c = m[1], math.max(tonumber(m[2] or '0') + 1, now)
if (not e) or m[3] ~= history then
  begin(KEYS[1], ARGV[1], c, e)
  e = ARGV[1]
else
  redis.call('HSET', KEYS[1], 'c', dec(c))
end
return {dec(c), e}
