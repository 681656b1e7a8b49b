-- Reads and classifies one entry, and grants the right to load it if it needs a load and no other
-- caller holds the lease. A fresh entry causes no write.
--
-- KEYS  1 entry   2 meta   3 lease
-- ARGV  1 token   2 lease ms   3 epoch to begin if one must begin
--       4 first bytes of an entry that did not open, or ""
--       5.. tags to check when there is no entry
-- returns {state, held, entry or nil, stamp, epoch, wait ms, now µs}
--       state  0 miss  1 fresh  2 soft  3 stale  4 suspect
--       held   0 no (the entry is fresh, or the caller loads with stamp and epoch)
--              1 another caller loads
local b = redis.pcall('GET', KEYS[1])
local rejected = false
if type(b) == 'table' or b and ((ARGV[4] ~= '' and b:sub(1, #ARGV[4]) == ARGV[4]) or not tagcount(b)) then
  redis.call('UNLINK', KEYS[1])
  b, rejected = false, true
end

local q = {'e', 'c', 'h', 'f', 'pe'}
if b then
  for i = 1, tagcount(b) do q[5 + i] = b:sub(42 + i * 8, 49 + i * 8) end
else
  for i = 5, #ARGV do q[i + 1] = ARGV[i] end
end
local m = redis.call('HMGET', KEYS[2], unpack(q))
local hi = 0
for i = 6, #q do
  if m[i] then hi = math.max(hi, tonumber(m[i])) end
end

local e, c, f, pe = m[1], tonumber(m[2] or '0'), tonumber(m[4] or '0'), m[5]
if (not e) or m[3] ~= history then
  pe, e = e or '', ARGV[3]
  c = math.max(c + 1, now)
  f = c
  begin(KEYS[2], e, c, pe)
end

local state = 0
if b then
  local ep = b:sub(13, 20)
  if hi > u8(b, 5) then state = 3
  elseif ep ~= e then
    -- Stamps of another epoch cannot be compared with versions of this one, so any version since
    -- this epoch began counts.
    if ep == pe and hi < f then state = 4 else state = 3 end
  elseif now >= u8(b, 21) then state = 2
  else return {1, 0, b, '', '', 0, dec(now)} end
end

local out = b
if state >= 3 then
  if state == 3 then redis.call('UNLINK', KEYS[1]) end
  out = false
end

-- A lease is taken over if a later invalidation has overtaken its stamp, because its fill would be
-- refused, or if the entry that its holder stored does not open.
local held = redis.call('GET', KEYS[3])
if held and not rejected and #held > 16 and u8(held, 1) >= hi and held:sub(9, 16) == e then
  return {state, 1, out, '', '', math.max(redis.call('PTTL', KEYS[3]), 0), dec(now)}
end

c = math.max(c + 1, now)
redis.call('HSET', KEYS[2], 'c', dec(c))
redis.call('SET', KEYS[3], p8(c) .. e .. ARGV[1], 'PX', ARGV[2])
return {state, 0, out, dec(c), e, 0, dec(now)}
