-- Lists tasks that were postponed or failed and run again soon.
--
-- KEYS[1] pending
-- ARGV[1] how soon, in seconds   ARGV[2] number of tasks to leave out
-- ARGV[3] number of tasks to return at most
-- The last two are those of demand.lua.
--
-- Returns {id, message, id, message, ...}, where the message of a task that has none is ''.

local found = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', retry, '-inf', now + ARGV[1], 'LIMIT', ARGV[2], ARGV[3])) do
  found[#found + 1], found[#found + 2] = id, fields(id, 'msg')[1] or ''
end
return found
