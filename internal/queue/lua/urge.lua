-- Brings a task forward because a user waits for the same work in another lane: out of its
-- back-off, from its place in the vendor's budget, or from its place in the line. A task that was
-- demanded for a later time keeps it. It happens once in a task's life and keeps its failures.
--
-- KEYS[1] pending
-- ARGV[1] digest   ARGV[2] length of a line in which a task is looked for at most
-- The last two are those of demand.lua.
--
-- Returns 1 if a task was brought forward.

for _, id in ipairs(listed(records .. ARGV[1])) do
  local at, place = due(id)
  local short = place == 'pending' and redis.call('LLEN', pending) <= tonumber(ARGV[2])
  local booked = place == 'booked' and at <= now
  if (place == 'retry' or booked or short) and redis.call('HSETNX', task .. id, 'urged', '1') == 1 then
    if place == 'retry' then
      redis.call('ZREM', retry, id)
    elseif booked then
      redis.call('ZREM', scheduled, id)
    else
      redis.call('LREM', pending, 1, id)
    end
    front(id)
    return 1
  end
end
return 0
