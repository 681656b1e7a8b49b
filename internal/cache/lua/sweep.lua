-- Removes versions that are so old that every entry they could invalidate has expired.
--
-- KEYS  1 meta
-- ARGV  1 age from which a version may be removed µs   2.. tags to check
-- returns the number of versions removed
local gone = {}
local tags = {}
for i = 2, #ARGV do tags[i - 1] = ARGV[i] end
local m = redis.call('HMGET', KEYS[1], unpack(tags))
for i = 1, #tags do
  if m[i] and tonumber(m[i]) < now - tonumber(ARGV[1]) then gone[#gone + 1] = tags[i] end
end
if #gone > 0 then redis.call('HDEL', KEYS[1], unpack(gone)) end
return #gone
