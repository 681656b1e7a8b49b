-- Removes the marks of runs whose worker is alive or leaves in order, and takes back the crash that
-- was counted for one. A later end of its process then counts nothing.
--
-- KEYS[1] pending
-- ARGV[1…] ID and token of each run
-- The last two are those of demand.lua.
--
-- Returns the number of crashes that were taken back.

local back = 0
for i = 1, #ARGV - 3, 2 do
  local key = task .. ARGV[i]
  local f = redis.call('HMGET', key, 'mark', 'crashed')
  if f[1] == ARGV[i + 1] then redis.call('HDEL', key, 'mark') end
  if f[2] == ARGV[i + 1] then
    redis.call('HDEL', key, 'crashed')
    redis.call('HINCRBY', key, 'crashes', -1)
    back = back + 1
  end
end
return back
