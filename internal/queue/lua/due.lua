-- Makes the tasks of a lane pending that are due by Redis' clock, as asynq's forwarder does.
--
-- KEYS[1] pending
-- ARGV[1] number of tasks of each set at most
-- The last two are those of demand.lua.
--
-- Returns the microseconds until the next task is due; 0 if one is, and -1 if none waits.

local wait = -1
for _, set in ipairs({scheduled, retry}) do
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', set, '-inf', string.format('%.6f', now), 'LIMIT', 0, ARGV[1])) do
    -- A task of another program that asynq is to group is left to asynq's forwarder.
    if type(redis.pcall('HGET', task .. id, 'group')) ~= 'string' then
      redis.call('ZREM', set, id) -- first, because a Redis that is full refuses LPUSH otherwise
      redis.call('LPUSH', pending, id)
      redis.pcall('HSET', task .. id, 'state', 'pending', 'pending_since', micros .. '000')
    end
  end
  local first = redis.call('ZRANGEBYSCORE', set, '-inf', '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  if first[2] then
    local left = math.max(0, math.ceil((tonumber(first[2]) - now) * 1000000))
    if wait < 0 or left < wait then wait = left end
  end
end
return wait
