-- Lists the tasks of one kind that are to run now, or that failed and run again.
--
-- KEYS[1] pending
-- ARGV[1] the beginning of the kind's messages   ARGV[2] number of tasks to return at most
-- The last two are those of demand.lua.
--
-- Returns {id, place, message, id, place, message, ...}.

local found, most = {}, 3 * tonumber(ARGV[2])

local function add(ids, place)
  for _, id in ipairs(ids) do
    if #found >= most then return end
    local msg = fields(id, 'msg')[1]
    if msg and string.sub(msg, 1, #ARGV[1]) == ARGV[1] then
      found[#found + 1], found[#found + 2], found[#found + 3] = id, place, msg
    end
  end
end

add(redis.call('ZRANGEBYSCORE', retry, '-inf', '+inf'), 'retry')
-- A task that is parked behind an equal one is scheduled for at most half a minute.
for _, id in ipairs(redis.call('ZRANGEBYSCORE', scheduled, '-inf', now + 31)) do
  if fields(id, 'parked')[1] or tonumber(redis.call('ZSCORE', scheduled, id)) <= now then add({id}, 'scheduled') end
end
add(redis.call('LRANGE', active, 0, -1), 'active')
add(redis.call('LRANGE', pending, 0, -1), 'pending')
return found
