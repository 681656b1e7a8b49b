-- Lists the tasks of a lane that a worker has or may take within half a minute, at one instant.
--
-- KEYS[1] pending
-- ARGV[1] number of tasks that are listed at most
-- The last two are those of demand.lua.
--
-- Returns their IDs, or nil if there are more.

local most, ids = tonumber(ARGV[1]), {}

local function add(more)
  for _, id in ipairs(more) do ids[#ids + 1] = id end
end

add(redis.call('ZRANGEBYSCORE', retry, '-inf', '+inf', 'LIMIT', 0, most + 1))
-- A task that is parked behind an equal one, or that crashed in quarantine, waits for at most that
-- time.
add(redis.call('ZRANGEBYSCORE', scheduled, '-inf', now + 31, 'LIMIT', 0, most + 1))
add(redis.call('LRANGE', active, 0, most))
add(redis.call('LRANGE', pending, 0, most))
if #ids > most then return false end
return ids
