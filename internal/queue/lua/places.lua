-- Finds the tasks of one kind among tasks that waiting.lua listed.
--
-- KEYS[1] pending
-- ARGV[1] the beginning of the kind's messages   ARGV[2..n-2] IDs
-- The last two are those of demand.lua.
--
-- Returns {id, place, message, id, place, message, ...}: pending, active, retry or scheduled for a
-- task that is to run now, or that failed or was postponed; '' for one that has left, or that was
-- demanded for a later time.

local found = {}
for i = 2, #ARGV - 2 do
  local id = ARGV[i]
  local f = fields(id, 'msg', 'state', 'parked', 'crashed')
  if not f[1] or string.sub(f[1], 1, #ARGV[1]) == ARGV[1] then
    local place = f[1] and f[2] or ''
    if place == 'scheduled' and not (f[3] or f[4]) and tonumber(redis.call('ZSCORE', scheduled, id) or now) > now then place = '' end
    if place ~= 'pending' and place ~= 'active' and place ~= 'retry' and place ~= 'scheduled' then place = '' end
    found[#found + 1], found[#found + 2], found[#found + 3] = id, place, place == '' and '' or f[1]
  end
end
return found
