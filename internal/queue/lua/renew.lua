-- Renews the leases of runs that still have their tasks. A Redis that is full refuses ZADD, unless
-- the script has removed something before.
--
-- KEYS[1] pending
-- ARGV[1] length of a lease in seconds   ARGV[2…] ID and token of each run
-- The last two are those of demand.lua.
--
-- Returns the IDs of the tasks whose runs have lost them.

local lost = {}
for i = 2, #ARGV - 3, 2 do
  if current(ARGV[i], ARGV[i + 1]) then
    redis.call('ZREM', lease, ARGV[i])
    redis.call('ZADD', lease, string.format('%.3f', now + ARGV[1]), ARGV[i])
  else
    table.insert(lost, ARGV[i])
  end
end
return lost
