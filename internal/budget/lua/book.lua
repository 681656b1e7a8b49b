-- Books places on the calendar of one tenant's operation. Each flow has places of its own, apart by
-- its share of the budget among the flows that have places at the same time. All times are
-- microseconds of the server's clock; %.0f keeps their digits.
--
-- KEYS[1] calendar of the operation, a hash:
--   <weight>:<flow>  the times that the flow's places take: from:until, in order
--   end              end of the last place of all flows
--   pitch            least distance of two places
--   beyond           how many places were spread because the calendar was full
-- ARGV[1] to ARGV[5] are those of margin.lua, which precedes this script.
-- ARGV[6] budget of the operation (see budget.lua). It has the slot of the calendar, is only read,
-- and is no key of the script, because Redis demands the right to write for those.
-- ARGV[7] horizon of the calendar    ARGV[8] most entries of a flow
-- ARGV[9] for how long places must pass unused before the flow's calendar begins at now again
-- ARGV[10] life of the calendar in ms
-- ARGV[11…] field of a flow, earliest place from now, number of places; in turn
--
-- Returns {now, least distance of two places, wait, length, wait, length…}: how far the places are,
-- in the order of the arguments, and how much of the flow's time they take.

local names = {'next', 'interval', 'margin', 'blocked', 'learned', 'refused', 'refused_at'}
for i, v in ipairs(redis.call('HMGET', ARGV[6], unpack(names))) do b[names[i]] = tonumber(v or '') or 0 end
local horizon, most = tonumber(ARGV[7]), tonumber(ARGV[8])

interval = documentedOr(b.interval)
-- Places are slightly closer than calls may be: a margin is learned down, and a place that no
-- call uses is lost. The pace refuses a call that comes too early.
local pitch = math.max(1, math.floor(interval + math.max(interval / 25, learnedMargin() - interval / 20)))
-- The flow of refused calls, and how soon the places of a flow must begin to count at a time.
local returned, near = '1:returned', 4 * pitch

-- The clock may have been set back.
local nextAt = math.min(b.next, now + 60000000 + 2 * pitch)
local first = math.max(now, nextAt, math.min(b.blocked, now + 3600000000))

local flows, weights, beyond = {}, {}, 0

-- add makes a flow known, which has the places of the list.
local function add(name, list)
  flows[name], weights[name] = list, tonumber(string.match(name, '^(%d+):') or '') or 1
end

local raw = redis.call('HGETALL', KEYS[1])
for i = 1, #raw, 2 do
  local name = raw[i]
  if name == 'beyond' then
    beyond = tonumber(raw[i + 1]) or 0
  elseif name ~= 'end' and name ~= 'pitch' then
    local list = {}
    for from, to in string.gmatch(raw[i + 1], '(%d+):(%d+)') do
      from, to = tonumber(from), math.min(tonumber(to), now + 2 * horizon)
      if to > now and to > from then
        list[#list + 1], list[#list + 2] = from, to
      end
    end
    -- The tasks of these places are gone, or no worker runs.
    if list[1] and math.max(list[1], nextAt) < now - ARGV[9] then list = {} end
    if list[1] then
      add(name, list)
    else
      redis.call('HDEL', KEYS[1], name)
    end
  end
end

-- shorten bounds a list: the shortest gaps are given up.
local function shorten(list)
  while #list > 2 * most do
    local at, least = 2, math.huge
    for i = 2, #list - 2, 2 do
      if list[i + 1] - list[i] < least then at, least = i, list[i + 1] - list[i] end
    end
    table.remove(list, at)
    table.remove(list, at)
  end
end

-- after returns the index of the first run of a list that ends after a time.
local function after(list, from)
  local low, high = 1, #list / 2 + 1
  while low < high do
    local mid = math.floor((low + high) / 2)
    if list[2 * mid] > from then high = mid else low = mid + 1 end
  end
  return 2 * low - 1
end

-- active reports whether a flow has places at a time or soon after it.
local function active(list, from)
  local starts = list[after(list, from)]
  return starts and starts <= from + near
end

-- lengthAt returns how much of a flow's time a place takes. Flows that are not active then leave
-- their shares to the others. Refused calls must come back soon, whatever flow has places:
-- they get one place for two of the others at most.
local function lengthAt(name, from)
  local total = weights[name]
  for other, list in pairs(flows) do
    if other ~= name and active(list, from) then
      if name == returned then return 2 * pitch end
      total = total + weights[other]
    end
  end
  return math.floor(pitch * total / weights[name])
end

-- For each flow, a time and the first one after it that was free.
local asked, free = {}, {}

-- take adds the flow's first free time at or after `from` to its list, and returns it and its
-- length; or nil if it is beyond the horizon.
local function take(name, from)
  local list, earliest = flows[name], from
  if asked[name] and from >= asked[name] then from = math.max(from, free[name]) end
  local length, i = lengthAt(name, from), after(list, from)
  while i < #list and from + length > list[i] do
    if from < list[i + 1] then
      from = list[i + 1]
      length = lengthAt(name, from)
    end
    i = i + 2
  end
  asked[name], free[name] = earliest, from
  if from - now > horizon then return nil, length end
  local to = from + length
  local before, behind = i > 1 and from - list[i - 1] < pitch, i < #list and list[i] - to < pitch
  if before and behind then
    table.remove(list, i - 1)
    table.remove(list, i - 1)
  elseif before then
    list[i - 1] = to
  elseif behind then
    list[i] = from
  else
    table.insert(list, i, to)
    table.insert(list, i, from)
    shorten(list)
  end
  return from, length
end

local reply = {now, pitch}
for i = 11, #ARGV, 3 do
  local name, earliest = ARGV[i], math.max(first, now + ARGV[i + 1])
  if not flows[name] then add(name, {}) end
  for _ = 1, tonumber(ARGV[i + 2]) do
    local at, length = take(name, earliest)
    if not at then
      -- The golden ratio spreads any number of places evenly.
      beyond = (beyond + 1) % 1000000
      at = math.max(earliest, now + math.floor(horizon * (1 + (beyond * 0.6180339887498949) % 1) / 2))
    end
    reply[#reply + 1], reply[#reply + 2] = at - now, length
  end
end

local last = 0
local out = {'beyond', string.format('%.0f', beyond), 'pitch', string.format('%.0f', pitch)}
for name, list in pairs(flows) do
  if #list > 0 then
    local text = {}
    for i = 1, #list, 2 do text[#text + 1] = string.format('%.0f:%.0f', list[i], list[i + 1]) end
    out[#out + 1], out[#out + 2] = name, table.concat(text, ' ')
    last = math.max(last, list[#list])
  end
end
out[#out + 1], out[#out + 2] = 'end', string.format('%.0f', last)
redis.call('HSET', KEYS[1], unpack(out))
redis.call('PEXPIRE', KEYS[1], ARGV[10])
return reply
