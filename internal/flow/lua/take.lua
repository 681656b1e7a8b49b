-- Grants the next slot of one account's operation, or refuses and says when to come back. All times are microseconds of
-- the server's clock; %.0f keeps their digits, which Lua's own conversion drops.
--
-- KEYS[1] pace of the operation, a hash:
--   next      earliest time of the next grant          interval  spacing that a throttle answer or GetThrottles named
--   margin    learnt margin, learned its time          blocked   no grant before this
--   booked    end of the background's calendar         asked     when interactive demand was last seen
--   back      the background's last grant
-- ARGV[1] documented interval        ARGV[2] least margin         ARGV[3] margin in thousandths of the interval
-- ARGV[4] longest wait in a slot     ARGV[5] longest wait of this caller
-- ARGV[6] 1 interactive, 0 background                             ARGV[7] slow-down after an outage, 1 none
-- ARGV[8] grant nothing, and book not before now plus this; 0 grants
-- ARGV[9] how long interactive demand is remembered               ARGV[10] horizon of the calendar
-- ARGV[11] life of a learnt margin   ARGV[12] life of the hash in ms
--
-- Returns {verdict, wait, at, window, previous next, next}. Verdict 1: granted at `at`, `wait` from now, good for
-- `window` after it. 0: refused by pace, 2: refused by a throttle's block; come back after `wait`. 3: refused, and the
-- calendar is full up to its horizon, which is `wait`.

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

-- A key that is not there may mean idle or forgotten; after a loss of data the last call may be a moment ago.
local nextAt = field(1)
if nextAt == 0 then nextAt = now + interval end
-- A clock that was set back must not stop the account for as long as it was ahead.
nextAt = math.min(nextAt, now + 60000000 + step)
local blocked = math.min(field(5), now + 60000000 + step)

local booked = field(6)
local idle = now - nextAt
if floor == 0 and booked > now and blocked <= now and idle > step + 1000000 then
  booked = math.max(now, booked - idle) -- slots went by unused: who booked them is gone
end

local at = math.max(now + floor, nextAt, blocked)
local recent = now - field(7) < tonumber(ARGV[9])
local limit, pitch = tonumber(ARGV[4]), step
if interactive then
  put('asked', now)
else
  -- The background leaves room to wait behind it; while people ask, it looks one slot ahead and takes two in three.
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
local verdict = 0
if blocked > nextAt and blocked > now then verdict = 2 end
if interactive then return {verdict, wait, 0, 0, 0, 0} end
local slot = math.max(at, booked)
if slot - now > tonumber(ARGV[10]) then
  put('booked', booked)
  return {3, tonumber(ARGV[10]), 0, 0, 0, 0}
end
put('booked', slot + pitch)
return {verdict, slot - now, 0, 0, 0, 0}
