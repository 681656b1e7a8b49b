-- Stores an entry unless what it was loaded from has changed since its stamp was granted. Releases
-- the caller's own lease in every case.
--
-- KEYS  1 entry   2 meta   3 lease
-- ARGV  1 token of the lease, "" when the stamp came with an invalidation   2 entry
--       3 time to live ms   4 epoch to begin if one must begin   5 greatest age of a stamp µs
-- returns "OK", or the reason for the refusal: "EPOCH" the epoch has ended
--         "TOO_OLD" versions may have been swept since   "RACED" a tag has a newer version
--         "OLDER" a later load is stored
local b = ARGV[2]
local stamp, ep = u8(b, 5), b:sub(13, 20)

local function done(result)
  if ARGV[1] ~= '' then
    local held = redis.call('GET', KEYS[3])
    if held and held:sub(17) == ARGV[1] then redis.call('DEL', KEYS[3]) end
  end
  return result
end

local q = {'e', 'c', 'h'}
for i = 1, tagcount(b) do q[3 + i] = b:sub(42 + i * 8, 49 + i * 8) end
local m = redis.call('HMGET', KEYS[2], unpack(q))
if (not m[1]) or m[3] ~= history then
  begin(KEYS[2], ARGV[4], math.max(tonumber(m[2] or '0') + 1, now), m[1])
  return done('EPOCH')
end
if m[1] ~= ep then return done('EPOCH') end
if now - stamp > tonumber(ARGV[5]) then return done('TOO_OLD') end
for i = 4, #q do
  if m[i] and tonumber(m[i]) > stamp then return done('RACED') end
end
local old = redis.pcall('GETRANGE', KEYS[1], 4, 19)
if type(old) == 'string' and #old == 16 and old:sub(9) == ep and u8(old, 1) > stamp then return done('OLDER') end
redis.call('SET', KEYS[1], b, 'PX', ARGV[3])
return done('OK')
