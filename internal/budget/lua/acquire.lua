-- Reserves the next slot, or refuses and returns when the next slot is. See budget.lua for KEYS[1]
-- and ARGV[1] to ARGV[7].
--
-- ARGV[8] longest wait for a slot    ARGV[9] longest wait of this caller
-- ARGV[10] 1 interactive, 0 background
-- ARGV[11] slowdown after an outage, 1 none
-- ARGV[12] how many slots away the slot may be at most, 0 for no such limit
-- ARGV[13] how many interactive callers may be sent in a row while the background waits
--
-- Returns {decision, wait, at, mark, previous next, next}. Decision 1: reserved at `at`, `wait`
-- from now. 0: refused by pace; 2: refused by the block after a throttle response; the next slot is
-- `wait` from now. mark is the shift of the slot, -1 for a slot in ahead.

local step = (interval + margin) * ARGV[11]
if b.sent == 0 then restart(identity()) end

-- An interactive caller needs not wait behind the background, which then waits for it. After a
-- number of interactive slots in a row, the next one is the background's if that waits. The number
-- of such slots is bounded.
local ready = math.max(now, b.blocked, b.sent + step)
local at, mark = math.max(ready, b.next), total
if ARGV[10] == '1' and #ahead < 16 then
  local last = ahead[#ahead] or 0
  at, mark = math.max(ready, last + step), -1
  local row = 0
  for i = #ahead, 1, -1 do
    row = row + 1
    if i > 1 and ahead[i] - ahead[i - 1] > 3 * step / 2 then break end
  end
  if row > 0 and row % ARGV[13] == 0 and b.next > at then at = math.max(at, math.min(last + 2 * step, b.next)) end
end

local wait, longest = at - now, math.min(tonumber(ARGV[8]), tonumber(ARGV[9]))
if tonumber(ARGV[12]) > 0 then longest = math.min(longest, ARGV[12] * step + lead) end
if wait > longest then
  save()
  local decision = 0
  if b.blocked > math.max(b.next, now) then decision = 2 end
  return {decision, wait, 0, 0, 0, 0}
end
local before = b.next
if mark < 0 then
  ahead[#ahead + 1] = at
  b.next = math.max(b.next, at + step)
else
  b.next = at + step
end
save()
return {1, wait, at, mark, before, b.next}
