-- Closes a breaker whose probe succeeded. The count of openings stays: a failure soon after opens
-- it for longer.
--
-- KEYS[1] breaker (see read.lua)   KEYS[2] its probe
-- ARGV[1] gen that was read        ARGV[2] life of the hash in ms
--
-- Returns {now, until, opens, closed, gen, reason} after the script.

local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local f = redis.call('HMGET', KEYS[1], 'until', 'opens', 'closed', 'gen', 'reason')
local function field(i) return tonumber(f[i] or '') or 0 end
local upto, opens, closed, gen = field(1), field(2), field(3), field(4)
if gen ~= tonumber(ARGV[1]) or upto == 0 then
  return {now, upto, opens, closed, gen, f[5] or ''}
end
gen = gen + 1
redis.call('HSET', KEYS[1], 'until', 0, 'closed', string.format('%.0f', now), 'gen', gen)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('DEL', KEYS[2])
return {now, 0, opens, now, gen, f[5] or ''}
