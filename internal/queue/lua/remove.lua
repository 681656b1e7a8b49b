-- Removes tasks that are still in the given state. A scheduled task that is parked is to run as
-- soon as an equal one has ended: it stays.
--
-- KEYS[1] the set of that state
-- ARGV[1] prefix of task keys   ARGV[2] name of the state   ARGV[3…] task IDs
--
-- Returns the IDs of the removed tasks.

local removed = {}
for i = 3, #ARGV do
  local key = ARGV[1] .. ARGV[i]
  local f = redis.pcall('HMGET', key, 'state', 'parked')
  if f.err then f = {} end -- not a task's record
  if (not f[1] or f[1] == ARGV[2]) and not (f[2] and ARGV[2] == 'scheduled') and redis.call('ZREM', KEYS[1], ARGV[i]) == 1 then
    redis.call('DEL', key)
    table.insert(removed, ARGV[i])
  end
end
return removed
