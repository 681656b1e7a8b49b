-- The margin of a budget, the same for the scripts of the pace and the calendar. A script sets b,
-- the fields of the budget, and interval, and then calls learnedMargin.
--
-- ARGV[1] documented interval    ARGV[2] least margin
-- ARGV[3] first margin, and ARGV[4] least margin, in thousandths of the interval
-- ARGV[5] life of a learned margin

local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local b, interval, life = {}, 0, tonumber(ARGV[5])

-- documentedOr returns the interval that the vendor named, or the documented one.
local function documentedOr(named)
  if named > 0 then return named end
  return tonumber(ARGV[1])
end

-- The margin with which a new interval begins.
local function firstMargin()
  return math.max(tonumber(ARGV[2]), math.floor(interval * ARGV[3] / 1000))
end

-- A margin that was too small is not tried again for a day, nor one that is hardly larger.
local function tooSmall() return b.refused > 0 and now - b.refused_at < life end
local function leastMargin()
  local least = math.max(tonumber(ARGV[2]), math.floor(interval * ARGV[4] / 1000))
  if tooSmall() then least = math.max(least, math.floor(b.refused * 5 / 4)) end
  return math.min(least, math.max(interval, firstMargin()))
end

local function learnedMargin()
  local first, margin = firstMargin(), b.margin
  if margin <= 0 then margin = first end
  if margin > first then
    margin = first + math.floor((margin - first) * math.max(0, 1 - math.max(0, now - b.learned) / life))
  end
  return math.max(margin, leastMargin())
end
