-- Lets digests count as running while their tasks are in quarantine, or ends that.
--
-- KEYS[1] pending
-- ARGV[1] how long, in seconds; 0 ends it   ARGV[2…] task IDs
-- The last two are those of demand.lua.
--
-- Returns nothing.

for i = 2, #ARGV - 2 do
  local id = ARGV[i]
  local record = recordOf(id)
  if record and ARGV[1] == '0' then
    release(record, id)
  elseif record and not busy(record, id) then
    redis.call('HSET', record, 'run', id, 'held', string.format('%.0f', now + ARGV[1]))
    keep(record, life)
  end
end
return 0
