-- Sets the versions of all tags of a change to one new clock, replaces the last-seen records,
-- appends the event and publishes the notification. Does nothing if a record is not as expected or
-- if the load that the change is based on is outdated.
--
-- KEYS  1 meta   2 stream   3.. last-seen records
-- ARGV  1 epoch to begin if one must begin   2 retention of the log µs   3 channel
--       4 event id   5 body   6 tags, 8 bytes each, joined
--       7 stamp of the load that the change is based on, "" for no condition   8 its epoch
--       9 greatest age of a stamp µs
--       10 preconditions: a tag and the highest version it may have, 16 bytes each, joined
--       11.. for each record: expected value, next value, time to live ms ("0" none); "" stands for
--       no record
-- returns {1, stamp, epoch, previous event}, or {0, number of the first record that differs, or 0
--         when the load is outdated}
for i = 3, #KEYS do
  local was = redis.pcall('GET', KEYS[i]) or ''
  if type(was) == 'table' then was = '' end              -- another type of key counts as none
  if was ~= ARGV[11 + (i - 3) * 3] then return {0, i - 2} end
end

local m = redis.call('HMGET', KEYS[1], 'e', 'c', 'h')
if ARGV[7] ~= '' then
  if m[1] ~= ARGV[8] or m[3] ~= history or now - tonumber(ARGV[7]) > tonumber(ARGV[9]) then return {0, 0} end
  for i = 1, #ARGV[10], 16 do
    local version = redis.call('HGET', KEYS[1], ARGV[10]:sub(i, i + 7))
    if version and tonumber(version) > u8(ARGV[10], i + 8) then return {0, 0} end
  end
end
local e, c = m[1], math.max(tonumber(m[2] or '0') + 1, now)
local p = '0'
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)
if #last > 0 then                                        -- the log may exist although the meta hash was lost
  p = last[1][1]:match('^(%d+)')
  c = math.max(c, tonumber(p) + 1)
end
local s = dec(c)
if (not e) or m[3] ~= history then
  begin(KEYS[1], ARGV[1], c, e)
  e = ARGV[1]
end

local a = {'c', s}
for i = 1, #ARGV[6], 8 do
  a[#a + 1] = ARGV[6]:sub(i, i + 7)
  a[#a + 1] = s
end
redis.call('HSET', KEYS[1], unpack(a))

for i = 3, #KEYS do
  local j = 11 + (i - 3) * 3
  if ARGV[j + 1] == '' then redis.call('DEL', KEYS[i])
  elseif ARGV[j + 2] == '0' then redis.call('SET', KEYS[i], ARGV[j + 1])
  else redis.call('SET', KEYS[i], ARGV[j + 1], 'PX', ARGV[j + 2]) end
end

redis.call('XADD', KEYS[2], 'MINID', '~', dec(now - tonumber(ARGV[2])), s .. '-0',
  'p', p, 'e', e, 'n', dec(now), 'i', ARGV[4], 't', ARGV[6], 'b', ARGV[5])
redis.call('PUBLISH', ARGV[3], s)
return {1, s, e, p}
