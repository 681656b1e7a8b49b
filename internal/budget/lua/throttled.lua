-- Adjusts the budget after a throttle response. A longer interval than the known one replaces it;
-- otherwise the margin was too small and is doubled, up to one whole interval. In both cases
-- nothing is granted for one spacing from now. The response to a call that was granted before the
-- last adjustment only blocks.
--
-- KEYS[1] budget of the operation (see acquire.lua)
-- ARGV[1] documented interval   ARGV[2] least margin
-- ARGV[3] margin in thousandths of the interval
-- ARGV[4] interval named by the response, 0 none       ARGV[5] longest interval accepted
-- ARGV[6] when the call was granted                    ARGV[7] life of a learned margin
-- ARGV[8] life of the hash in ms
--
-- Returns {interval, margin, blocked} in microseconds.

local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local f = redis.call('HMGET', KEYS[1], 'interval', 'margin', 'learned', 'blocked')
local function field(i) return tonumber(f[i] or '') or 0 end
local function digits(v) return string.format('%.0f', v) end

local interval = field(1)
if interval == 0 then interval = tonumber(ARGV[1]) end
local function base(i) return math.max(tonumber(ARGV[2]), math.floor(i * ARGV[3] / 1000)) end
local margin = base(interval)
if field(2) > margin then
  local age = math.max(0, now - field(3))
  if age < tonumber(ARGV[7]) then
    margin = margin + math.floor((field(2) - margin) * (1 - age / ARGV[7]))
  end
end

if tonumber(ARGV[6]) > field(3) then
  local named = math.min(tonumber(ARGV[4]), tonumber(ARGV[5]))
  if named > interval then
    interval = named
    margin = math.max(margin, base(interval))
  else
    margin = math.min(margin * 2, math.max(interval, base(interval)))
  end
  redis.call('HSET', KEYS[1], 'interval', digits(interval), 'margin', digits(margin), 'learned', digits(now))
end
local blocked = math.max(field(4), now + interval + margin)
redis.call('HSET', KEYS[1], 'blocked', digits(blocked))
redis.call('PEXPIRE', KEYS[1], ARGV[8])
return {interval, margin, blocked}
