-- Gives places of a calendar back, so that they are booked again. A place that has passed, or that
-- the calendar does not have, is left out.
--
-- KEYS[1] calendar (see book.lua)
-- ARGV[1] most entries of a flow
-- ARGV[2…] field of a flow, time of places, their length or 0 if that is unknown; in turn
--
-- Returns how many times were released.

local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]

-- without returns a list without the times from `from` to `to`, and whether it had them.
local function without(text, from, to)
  local kept, found = {}, false
  for a, b in string.gmatch(text, '(%d+):(%d+)') do
    a, b = tonumber(a), tonumber(b)
    if a < to and from < b then
      found = true
      if a < from then kept[#kept + 1] = string.format('%.0f:%.0f', a, from) end
      if to < b then kept[#kept + 1] = string.format('%.0f:%.0f', to, b) end
    else
      kept[#kept + 1] = string.format('%.0f:%.0f', a, b)
    end
  end
  return found, kept
end

local back = 0
for i = 2, #ARGV, 3 do
  local from, length = tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  if length <= 0 then length = tonumber(redis.call('HGET', KEYS[1], 'pitch') or '') or 0 end
  local list = from + length > now and redis.call('HGET', KEYS[1], ARGV[i])
  if list then
    local found, kept = without(list, from, from + length)
    if found and #kept <= tonumber(ARGV[1]) then
      redis.call('HSET', KEYS[1], ARGV[i], table.concat(kept, ' '))
      back = back + 1
    end
  end
end
return back
