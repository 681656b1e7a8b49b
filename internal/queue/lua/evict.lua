-- Removes a task from its lane after it was added to quarantine. Its digest counts as running.
--
-- KEYS[1] pending
-- ARGV[1] task ID   ARGV[2] token of its last run   ARGV[3] how long it counts as running
-- The last two are those of demand.lua.
--
-- Returns 1 if it was removed.

local id = ARGV[1]
if redis.call('HGET', task .. id, 'run') ~= ARGV[2] then return 0 end
redis.call('ZREM', lease, id)
redis.call('LREM', active, 0, id)
redis.call('DEL', task .. id)
local record = recordOf(id)
if record then
  unlist(record, id)
  redis.call('HSET', record, 'run', id, 'held', string.format('%.0f', now + ARGV[3]))
  keep(record, life)
end
return 1
