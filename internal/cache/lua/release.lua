-- Ends a lease after a load without a value. With a pause it leaves a mark, so that the next caller
-- waits a moment instead of asking a source that just failed.
--
-- KEYS  1 lease
-- ARGV  1 token   2 pause ms, "0" for none
-- returns 1 if the lease was the caller's, else 0
local held = redis.call('GET', KEYS[1])
if not held or held:sub(17) ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], held:sub(1, 16) .. '!', 'PX', ARGV[2])
end
return 1
