-- Makes tasks the next of their lane, in the order of the arguments. A task that does not wait in a
-- set that it is named for is left alone. The search begins at the front, where they are if another
-- worker has moved them.
--
-- KEYS[1] pending
-- ARGV[1..n-2] IDs and places, pending or retry, in turn
-- The last two are those of demand.lua.
--
-- Returns how many there were.

local moved = 0
for i = #ARGV - 3, 1, -2 do
  local id, place = ARGV[i], ARGV[i + 1]
  local was
  if place == 'retry' then was = redis.call('ZREM', retry, id) else was = redis.call('LREM', pending, -1, id) end
  if was == 1 then
    front(id)
    moved = moved + 1
  end
end
return moved
