-- Opens or closes a breaker for an operator, until a time. A decision replaces the one before.
--
-- ARGV[1] open, close or release   ARGV[2] for how long   ARGV[3] by whom   ARGV[4] why
-- ARGV[5] life of the hash in ms, longer than the decision
--
-- Returns the state after the script.

if ARGV[1] == 'release' then
  if not forced() then return state() end
  if forced() == 'open' then b['until'] = now end -- a probe is due
  redis.call('HDEL', KEYS[1], 'fopen', 'funtil', 'fat', 'fby', 'fwhy')
else
  local open = ARGV[1] == 'open'
  b.fopen, b.funtil = open and 1 or 0, now + ARGV[2]
  redis.call('HSET', KEYS[1], 'fopen', b.fopen, 'funtil', whole(b.funtil), 'fat', whole(now), 'fby', ARGV[3], 'fwhy', ARGV[4])
  if open then
    if b['until'] == 0 then b.since, b.opens, b.evidence = now, 1, '' end
    b['until'], b.closed, b.reason, b.login = b.funtil, 0, 'operator', ''
  elseif b['until'] > 0 then
    b['until'], b.closed, b.login = 0, now, ''
  end
end
b.gen = b.gen + 1
save(ARGV[5])
redis.call('DEL', KEYS[2])
return state()
