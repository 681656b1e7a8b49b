-- Forgets versions so old that no entry can be left that they would have to invalidate.
--
-- KEYS  1 meta
-- ARGV  1 age from which a version may go µs   2.. tags to look at
-- returns the number of versions forgotten
local gone = {}
local tags = {}
for i = 2, #ARGV do tags[i - 1] = ARGV[i] end
local m = redis.call('HMGET', KEYS[1], unpack(tags))
for i = 1, #tags do
  if m[i] and tonumber(m[i]) < now - tonumber(ARGV[1]) then gone[#gone + 1] = tags[i] end
end
if #gone > 0 then redis.call('HDEL', KEYS[1], unpack(gone)) end
return #gone
