-- Opens a breaker for ARGV[1], twice as long with every opening in a row, at most ARGV[2]. Evidence
-- from before the last opening or closing changes nothing.
--
-- KEYS[1] breaker (see read.lua)   KEYS[2] its probe
-- ARGV[1] first period   ARGV[2] longest period   ARGV[3] jitter in thousandths, 1000 none
-- ARGV[4] how long after a closing the count of openings restarts   ARGV[5] reason
-- ARGV[6] gen that was read   ARGV[7] life of the hash in ms
--
-- Returns {now, until, opens, closed, gen, reason} after the script.

local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local f = redis.call('HMGET', KEYS[1], 'until', 'opens', 'closed', 'gen', 'reason')
local function field(i) return tonumber(f[i] or '') or 0 end
local upto, opens, closed, gen = field(1), field(2), field(3), field(4)
if gen ~= tonumber(ARGV[6]) or upto > now then
  return {now, upto, opens, closed, gen, f[5] or ''}
end
if closed > 0 and now - closed > tonumber(ARGV[4]) then opens = 0 end
opens = opens + 1
local period = math.min(ARGV[1] * 2 ^ math.min(opens - 1, 20), tonumber(ARGV[2]))
upto = now + math.floor(period * ARGV[3] / 1000)
gen = gen + 1
redis.call('HSET', KEYS[1], 'until', string.format('%.0f', upto), 'opens', opens, 'closed', 0, 'gen', gen,
  'reason', ARGV[5])
redis.call('PEXPIRE', KEYS[1], ARGV[7])
redis.call('DEL', KEYS[2])
return {now, upto, opens, 0, gen, ARGV[5]}
