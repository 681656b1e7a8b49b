-- Moves a call that is sent later than granted, if no other call has been granted since. See
-- budget.lua for KEYS[1] and ARGV[1] to ARGV[7].
--
-- ARGV[8] when the call should have been sent
--
-- Returns when it may be sent now, 0 when it may not be sent.

local granted = tonumber(ARGV[8])
if b.sent ~= granted or b.blocked > now then return 0 end
if now > granted then
  local late = math.floor(math.min(now - granted, interval + margin))
  b.shift, b.next = b.shift + late, b.next + late
  -- A host that is so late varies as much on the way to the vendor, where nothing corrects it.
  if now - granted > margin and margin < firstMargin() then
    b.margin, b.clean = math.min(firstMargin(), math.floor(margin * 3 / 2)), 0
  end
  b.sent, b.clean, b.run = now, math.max(0, b.clean - 1), math.max(0, b.run - 1)
  save()
end
return b.sent
