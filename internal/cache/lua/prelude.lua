-- Shared by all scripts in this directory; these lines are prepended to each. No struct, bit, cjson
-- or cmsgpack: the embedded Redis has none of them. Numbers are exact below 2^53.
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]

-- The history of the primary that runs the script is its replication ID, which is new after each
-- restart and each promotion. An embedded server has none. On a replica a script could read what
-- the primary has already invalidated.
local history = '-'
local info = redis.pcall('INFO', 'replication')
if type(info) == 'string' then
  if not info:find('\nrole:master', 1, true) then
    return redis.error_reply('READONLY the cache is read from primaries only')
  end
  history = info:match('\nmaster_replid:(%x+)') or '-'
end

local function dec(n) return string.format('%.0f', n) end

local function u8(s, i)
  local a, b, c, d, e, f, g, h = s:byte(i, i + 7)
  return ((a * 256 + b) * 65536 + c * 256 + d) * 4294967296 + e * 16777216 + f * 65536 + g * 256 + h
end

local function p8(n)
  local h = math.floor(n / 4294967296)
  local l = n - h * 4294967296
  local function w(x)
    return string.char(math.floor(x / 16777216), math.floor(x / 65536) % 256, math.floor(x / 256) % 256, x % 256)
  end
  return w(h) .. w(l)
end

-- Returns the number of an entry's tags, or nil if the bytes are not an entry of this format.
local function tagcount(b)
  if #b < 49 or b:byte(1) ~= 1 then return nil end
  local k = b:byte(49)
  if k > 32 or #b < 49 + k * 8 then return nil end
  return k
end

-- Begins an epoch: entries of the previous one become suspect and older ones stale; loads in
-- progress are refused.
local function begin(meta, epoch, clock, before)
  local s = dec(clock)
  redis.call('HSET', meta, 'e', epoch, 'c', s, 'h', history, 'f', s, 'pe', before or '')
end
