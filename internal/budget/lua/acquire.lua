-- Grants the next slot of one tenant's operation, or refuses and returns when the next slot is. All
-- times are microseconds of the server's clock; %.0f keeps their digits, which Lua's own conversion
-- drops.
--
-- KEYS[1] budget of the operation, a hash:
--   next      earliest time of the next grant
--   interval  spacing named by a throttle response or GetThrottles
--   margin    learned margin, learned its time         blocked   no grant before this time
--   asked     last interactive demand                  back      the background's last grant
-- ARGV[1] documented interval        ARGV[2] least margin
-- ARGV[3] margin in thousandths of the interval
-- ARGV[4] longest wait for a slot    ARGV[5] longest wait of this caller
-- ARGV[6] 1 interactive, 0 background
-- ARGV[7] slowdown after an outage, 1 none
-- ARGV[8] how long interactive demand is remembered
-- ARGV[9] life of a learned margin   ARGV[10] life of the hash in ms
--
-- Returns {decision, wait, at, window, previous next, next}. Decision 1: granted at `at`, `wait`
-- from now, good for `window` after it. 0: refused by pace; 2: refused by the block after a
-- throttle response; the next slot is `wait` from now.

local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local f = redis.call('HMGET', KEYS[1], 'next', 'interval', 'margin', 'learned', 'blocked', 'asked', 'back')
local function field(i) return tonumber(f[i] or '') or 0 end
local function put(...)
  local out = {}
  for i, v in ipairs({...}) do out[i] = type(v) == 'number' and string.format('%.0f', v) or v end
  redis.call('HSET', KEYS[1], unpack(out))
end
local interactive = ARGV[6] == '1'

local interval = field(2)
if interval == 0 then interval = tonumber(ARGV[1]) end
local margin = math.max(tonumber(ARGV[2]), math.floor(interval * ARGV[3] / 1000))
if field(3) > margin then
  local age = math.max(0, now - field(4))
  if age < tonumber(ARGV[9]) then
    margin = margin + math.floor((field(3) - margin) * (1 - age / ARGV[9]))
  end
end
local step = (interval + margin) * ARGV[7]

-- A missing key means an idle budget or lost data. After a loss, the last call may have been a
-- moment ago.
local nextAt = field(1)
if nextAt == 0 then nextAt = now + interval end
-- After the clock was set back, the account must not stop for as long as the clock was ahead.
nextAt = math.min(nextAt, now + 60000000 + step)
local blocked = math.min(field(5), now + 60000000 + step)

local at = math.max(now, nextAt, blocked)
local recent = now - field(6) < tonumber(ARGV[8])
local limit = tonumber(ARGV[4])
if interactive then
  put('asked', now)
else
  -- The background leaves room to wait behind it. During interactive demand it looks one slot ahead
  -- and takes two in three.
  limit = math.max(limit - step, limit / 4)
  if recent then
    local pitch = math.floor(step * 3 / 2)
    limit = math.min(limit, step)
    at = math.max(at, math.min(field(7) + pitch, now + pitch))
  end
end
limit = math.min(limit, tonumber(ARGV[5]))

local wait = at - now
if wait <= limit then
  put('next', at + step)
  if not interactive then put('back', at) end
  redis.call('PEXPIRE', KEYS[1], ARGV[10])
  return {1, wait, at, math.floor(margin / 2), nextAt, at + step}
end
put('next', nextAt)
redis.call('PEXPIRE', KEYS[1], ARGV[10])
local decision = 0
if blocked > nextAt and blocked > now then decision = 2 end
return {decision, wait, 0, 0, 0, 0}
