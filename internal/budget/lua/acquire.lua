-- Grants the next slot of one tenant's operation, or refuses and returns when to try again. All
-- times are microseconds of the server's clock; %.0f keeps their digits, which Lua's own conversion
-- drops.
--
-- KEYS[1] budget of the operation, a hash:
--   next      earliest time of the next grant
--   interval  spacing named by a throttle response or GetThrottles
--   margin    learned margin, learned its time         blocked   no grant before this time
--   booked    end of the background's calendar         asked     last interactive demand
--   back      the background's last grant
-- ARGV[1] documented interval        ARGV[2] least margin
-- ARGV[3] margin in thousandths of the interval
-- ARGV[4] longest wait for a slot    ARGV[5] longest wait of this caller
-- ARGV[6] 1 interactive, 0 background
-- ARGV[7] slowdown after an outage, 1 none
-- ARGV[8] 0 grants; else grant nothing, and book at least this far from now
-- ARGV[9] how long interactive demand is remembered
-- ARGV[10] horizon of the calendar
-- ARGV[11] life of a learned margin  ARGV[12] life of the hash in ms
--
-- Returns {decision, wait, at, window, previous next, next}. Decision 1: granted at `at`, `wait`
-- from now, good for `window` after it. 0: refused by pace; 2: refused by the block after a
-- throttle response; try again after `wait`. 3: refused, and the calendar is full up to its
-- horizon, which is `wait`.

local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local f = redis.call('HMGET', KEYS[1], 'next', 'interval', 'margin', 'learned', 'blocked', 'booked', 'asked', 'back')
local function field(i) return tonumber(f[i] or '') or 0 end
local function put(...)
  local out = {}
  for i, v in ipairs({...}) do out[i] = type(v) == 'number' and string.format('%.0f', v) or v end
  redis.call('HSET', KEYS[1], unpack(out))
end
local interactive, floor = ARGV[6] == '1', tonumber(ARGV[8])

local interval = field(2)
if interval == 0 then interval = tonumber(ARGV[1]) end
local margin = math.max(tonumber(ARGV[2]), math.floor(interval * ARGV[3] / 1000))
if field(3) > margin then
  local age = math.max(0, now - field(4))
  if age < tonumber(ARGV[11]) then
    margin = margin + math.floor((field(3) - margin) * (1 - age / ARGV[11]))
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

local booked = field(6)
local idle = now - nextAt
if floor == 0 and booked > now and blocked <= now and idle > step + 1000000 then
  booked = math.max(now, booked - idle) -- slots passed unused: the callers that booked them are gone
end

local at = math.max(now + floor, nextAt, blocked)
local recent = now - field(7) < tonumber(ARGV[9])
local limit, pitch = tonumber(ARGV[4]), step
if interactive then
  put('asked', now)
else
  -- The background leaves room to wait behind it. During interactive demand it looks one slot ahead
  -- and takes two in three.
  limit = math.max(limit - step, limit / 4)
  if recent then
    pitch = math.floor(step * 3 / 2)
    limit = math.min(limit, step)
    at = math.max(at, math.min(field(8) + pitch, now + pitch))
  end
end
limit = math.min(limit, tonumber(ARGV[5]))

local wait = at - now
if floor == 0 and wait <= limit then
  put('next', at + step, 'booked', booked)
  if not interactive then put('back', at) end
  redis.call('PEXPIRE', KEYS[1], ARGV[12])
  return {1, wait, at, math.floor(margin / 2), nextAt, at + step}
end

put('next', nextAt)
redis.call('PEXPIRE', KEYS[1], ARGV[12])
local decision = 0
if blocked > nextAt and blocked > now then decision = 2 end
if interactive then return {decision, wait, 0, 0, 0, 0} end
local slot = math.max(at, booked)
if slot - now > tonumber(ARGV[10]) then
  put('booked', booked)
  return {3, tonumber(ARGV[10]), 0, 0, 0, 0}
end
put('booked', slot + pitch)
return {decision, slot - now, 0, 0, 0, 0}
