-- Closes a breaker whose probe succeeded. The count of openings stays: a failure soon after opens
-- it for longer. A login that has worked is remembered as proven.
--
-- ARGV[1] gen that was read   ARGV[2] the login that was used, or ''
-- ARGV[3] life of the hash in ms
--
-- Returns the state after the script.

if b.gen ~= tonumber(ARGV[1]) or forced() == 'open' then return state() end
local proves = ARGV[2] ~= '' and b.proven ~= ARGV[2]
if b['until'] == 0 and not proves then return state() end
if proves then b.proven = ARGV[2] end
if b['until'] > 0 then b['until'], b.closed, b.gen, b.login = 0, now, b.gen + 1, '' end
save(ARGV[3])
redis.call('DEL', KEYS[2])
return state()
