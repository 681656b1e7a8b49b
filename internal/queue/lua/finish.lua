-- Keeps a task's outcome. A Redis that is full refuses SET but not DEL, and refuses nothing in a
-- script that has written: the task whose outcome this is frees more than the outcome takes. A run
-- that has expired does not count as begun, since its work was not done.
--
-- KEYS[1] pending   KEYS[2] outcome
-- ARGV[1] the outcome   ARGV[2] its life in seconds   ARGV[3] task ID if it has expired, else ''
-- The last two are those of demand.lua.

redis.call('DEL', KEYS[2])
redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[2])
local record = recordOf(ARGV[3])
if not record then return 0 end
local g, was = undoable(record)
if g == generationOf(ARGV[3]) then
  redis.call('HSET', record, 'begun', was)
  redis.call('HDEL', record, 'before')
end
return 0
