-- Adjusts the budget after a throttle response. A longer interval than the known one replaces it;
-- otherwise the margin was too small and grows, up to one whole interval. In both cases nothing is
-- sent for one spacing from now. The response to a call from before the last adjustment only
-- blocks. See budget.lua for KEYS[1] and ARGV[1] to ARGV[7].
--
-- ARGV[8] interval named by the response, 0 none    ARGV[9] longest interval accepted
-- ARGV[10] when the call was sent                   ARGV[11] its margin, 0 unknown
--
-- Returns {interval, margin, blocked} in microseconds.

if tonumber(ARGV[10]) > b.learned then
  local named = math.min(tonumber(ARGV[8]), tonumber(ARGV[9]))
  if named > interval then
    local kept = 0
    if b.trial > 0 then -- the former interval does not hold yet
      if named == b.trial then kept = b.kept end
      b.trial, b.need = 0, math.min(b.need * 8, 100000)
    else
      -- An interval that has held was changed just now. One that has never held may be a mistake.
      b.former, b.need = interval, b.run >= 8 and 2000 or 30
    end
    interval, b.interval, b.run = named, named, 0
    if kept == 0 then kept = firstMargin() end
    margin = math.max(kept, leastMargin())
  else
    local tried = tonumber(ARGV[11])
    if tried <= 0 then tried = margin end
    if not tooSmall() then b.refused = 0 end
    b.refused, b.refused_at = math.max(b.refused, tried), now
    local more = tried * 2
    if tried < firstMargin() then more = math.floor(tried * 3 / 2) end
    margin = math.min(math.max(margin, more), math.max(interval, firstMargin()))
  end
  b.margin, b.learned, b.clean = margin, now, 0
end
b.blocked = math.max(b.blocked, now + interval + margin)
save()
return {interval, margin, b.blocked}
