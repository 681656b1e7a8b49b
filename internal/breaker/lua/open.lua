-- Opens a breaker for ARGV[1], twice as long with every opening in a row, at most ARGV[2]. Evidence
-- from before the last opening or closing changes nothing, nor does any while an operator keeps the
-- breaker closed.
--
-- ARGV[1] first period   ARGV[2] longest period   ARGV[3] jitter in thousandths, 1000 none
-- ARGV[4] how long after a closing the count of openings restarts   ARGV[5] reason
-- ARGV[6] evidence   ARGV[7] the login that was refused, or ''
-- ARGV[8] gen that was read   ARGV[9] life of the hash in ms
--
-- Returns the state after the script.

if b.gen ~= tonumber(ARGV[8]) or forced() then return state() end
if b['until'] > now and concerns(ARGV[7]) then return state() end
if b.closed > 0 and now - b.closed > tonumber(ARGV[4]) or not concerns(ARGV[7]) then b.opens = 0 end
b.opens = b.opens + 1
if b.opens == 1 then b.since = now end
local period = math.min(ARGV[1] * 2 ^ math.min(b.opens - 1, 20), tonumber(ARGV[2]))
b['until'] = now + math.floor(period * ARGV[3] / 1000)
b.closed, b.gen, b.reason, b.evidence, b.login = 0, b.gen + 1, ARGV[5], ARGV[6], ARGV[7]
save(ARGV[9])
redis.call('DEL', KEYS[2])
return state()
