-- Removes tasks that are still in the given state.
--
-- KEYS[1] the set of that state
-- ARGV[1] prefix of task keys   ARGV[2] name of the state   ARGV[3…] task IDs
--
-- Returns the IDs of the removed tasks.

local removed = {}
for i = 3, #ARGV do
  local key = ARGV[1] .. ARGV[i]
  local state = redis.pcall('HGET', key, 'state')
  if type(state) == 'table' then state = false end -- not a task's record
  if (not state or state == ARGV[2]) and redis.call('ZREM', KEYS[1], ARGV[i]) == 1 then
    redis.call('DEL', key)
    table.insert(removed, ARGV[i])
  end
end
return removed
