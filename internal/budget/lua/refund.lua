-- Refunds what a call that was not sent has: its slot, if no later one was reserved, and the
-- permission to send, if no other call has it. See budget.lua for KEYS[1] and ARGV[1] to ARGV[7].
--
-- ARGV[8] slot as last named    ARGV[9] its mark
-- ARGV[10] next after the reservation, and ARGV[11] before it
-- ARGV[12] when the call should have been sent, 0 without permission    ARGV[13] sent before that
--
-- Returns 1 when the slot was refunded, 0 when it is lost.

local mark = tonumber(ARGV[9])
for i, at in ipairs(ahead) do
  if mark < 0 and at == tonumber(ARGV[8]) then
    table.remove(ahead, i)
    break
  end
end
local moved, returned = mark < 0 and 0 or total - mark, 0
if b.next == ARGV[10] + moved then
  b.next, returned = ARGV[11] + moved, 1
end
if tonumber(ARGV[12]) > 0 and b.sent == tonumber(ARGV[12]) then
  b.sent, b.clean, b.run = tonumber(ARGV[13]), math.max(0, b.clean - 1), math.max(0, b.run - 1)
end
save()
return returned
