-- Sends nothing for a while, because the vendor asked for it. A longer block stays. See budget.lua
-- for KEYS[1] and ARGV[1] to ARGV[7].
--
-- ARGV[8] how long, in microseconds
--
-- Returns the end of the block.

b.blocked = math.max(b.blocked, now + ARGV[8])
save()
return string.format('%.0f', b.blocked)
