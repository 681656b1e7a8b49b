-- Grants the sending of a call whose slot has come, or says when to ask again. No two calls are
-- granted closer than one spacing. See budget.lua for KEYS[1] and ARGV[1] to ARGV[7].
--
-- ARGV[8] slot as last named            ARGV[9] slot that was reserved, and ARGV[10] its mark (see
-- acquire.lua)
-- ARGV[11] slowdown after an outage, 1 none
-- ARGV[12] how much later than its margin allows a call may come to count as clean
--
-- Returns {decision, wait, at, previous sent, margin, next interval, next margin}. Decision 1: to
-- be sent at `at`, `wait` from now, with at least margin after the call before. 0: ask again with
-- the new `at`. 2: the same, because the operation is blocked.

local step = (interval + margin) * ARGV[11]
local slot, mark = tonumber(ARGV[8]), tonumber(ARGV[10])
local server = identity()
if b.sent == 0 or server ~= (known.server or '') then restart(server) end

local own
for i, at in ipairs(ahead) do
  if mark < 0 and at == slot then own = i end
end
local place, due = ARGV[9] - mark, slot
if mark >= 0 then due = math.max(slot, place + shiftOf(place)) end
due = math.min(due, math.max(b.next, now)) -- a slot may be from before the clock was set back
local at = math.max(now, b.sent + step, due, b.blocked)
if mark >= 0 then
  -- Interactive callers come first, unless a call is sent half a spacing or more before them.
  for _, other in ipairs(ahead) do
    if at > other - step / 2 and at < other + step then at = other + step end
  end
  push(place, at - due)
end
if at - now > lead then
  if own then ahead[own] = at end
  table.sort(ahead)
  save()
  return {b.blocked > now and 2 or 0, at - now, at, 0, 0, 0, 0}
end

if own then table.remove(ahead, own) end
if mark >= 0 then fold(place) end
local previous, tried = b.sent, margin
if at - b.sent <= interval + margin + ARGV[12] then b.clean, b.run = b.clean + 1, b.run + 1 end
b.sent, b.next = at, math.max(b.next, at + step)
-- Less margin after a number of calls that were not refused.
local enough = 20
if tooSmall() then enough = 100 elseif margin >= firstMargin() then enough = 10 end
if b.clean >= enough then
  local less = math.max(leastMargin(), math.floor(margin * 3 / 5))
  if less < margin then margin, b.margin, b.clean = less, less, 0 end
end
-- The interval before a longer one was named, after a number of calls. A number of calls later it
-- holds again.
if b.trial > 0 and b.run >= 20 then b.trial, b.former, b.need = 0, 0, 0 end
if b.former > 0 and b.trial == 0 and b.run >= b.need then
  b.trial, b.kept = interval, margin
  interval, b.interval, b.run, b.clean = b.former, b.former, 0, 0
  margin = math.max(firstMargin(), leastMargin())
  b.margin = margin
end
save()
return {1, at - now, at, previous, tried, interval, margin}
