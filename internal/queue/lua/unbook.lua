-- Makes booked tasks pending that are demanded for now, in the order of their places.
--
-- KEYS[1] pending
-- ARGV[1] number of tasks that are looked at, at most
-- The last two are those of demand.lua.
--
-- Returns how many there were.

local moved = 0
for _, id in ipairs(redis.call('ZRANGEBYSCORE', scheduled, '-inf', '+inf', 'LIMIT', 0, ARGV[1])) do
  local at, place = due(id)
  if place == 'booked' and at <= now then
    redis.call('ZREM', scheduled, id)
    redis.call('LPUSH', pending, id)
    redis.call('HSET', task .. id, 'state', 'pending', 'pending_since', micros .. '000')
    redis.call('HDEL', task .. id, 'booked')
    moved = moved + 1
  end
end
return moved
