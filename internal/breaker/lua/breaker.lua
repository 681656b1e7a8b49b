-- The head of all scripts of breakers. Times are microseconds of the server's clock.
--
-- KEYS[1] breaker, a hash:
--   until   open: no call before this time, then one probe; absent or 0 when closed
--   since   time of the first opening in a row   opens   openings in a row
--   closed  time of the last closing by a probe  gen     counts openings and closings
--   reason  code of the failure that opened it   evidence what opened it, in words
--   login   the credentials that it is open for; absent or '' for all
--   proven  the credentials that last worked
--   fopen   1 if an operator opened it, 0 if one closed it; absent without an operator's decision
--   funtil  when that decision ends   fat  when it was made   fby  by whom   fwhy  why
-- KEYS[2] the permission of its probe: a token with an expiry

local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local names = {'until', 'since', 'opens', 'closed', 'gen', 'reason', 'evidence', 'login', 'proven', 'fopen', 'funtil'}
local b = {}
for i, v in ipairs(redis.call('HMGET', KEYS[1], unpack(names))) do
  if i <= 5 or i >= 10 then b[names[i]] = tonumber(v or '') or 0 else b[names[i]] = v or '' end
end
local whole = function(n) return string.format('%.0f', n) end

-- forced reports whether an operator's decision holds: 'open', 'closed' or nil.
local function forced()
  if b.funtil <= now then return nil end
  return b.fopen == 1 and 'open' or 'closed'
end

-- concerns reports whether the breaker is open for a login.
local function concerns(login) return b.login == '' or login == '' or b.login == login end

local function state()
  return {now, b['until'], b.since, b.opens, b.closed, b.gen, b.reason, b.login, b.proven}
end

-- save writes the fields that scripts change, and extends the life of the hash.
local function save(life)
  redis.call('HSET', KEYS[1], 'until', whole(b['until']), 'since', whole(b.since), 'opens', b.opens,
    'closed', whole(b.closed), 'gen', whole(b.gen), 'reason', b.reason, 'evidence', b.evidence,
    'login', b.login, 'proven', b.proven)
  redis.call('PEXPIRE', KEYS[1], life)
end
