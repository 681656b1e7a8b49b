-- Exchanges what tenants have used of the workers for how far each is ahead of the others
-- (start-time fair queueing, charged after the fact). Virtual time is in microseconds of use, each
-- divided by its tenant's weight; %.0f keeps its digits, which Lua's own conversion drops.
--
-- KEYS[1] virtual time, a hash: v   that of the waiting tenant that has used least
-- KEYS[2] tenants that are ahead, a sorted set by the virtual time up to which they have used
-- KEYS[3] tenants with callers that wait, a sorted set by the time until which that counts
-- ARGV[1] how far a tenant can be ahead   ARGV[2] how long a report of a waiting caller counts
-- ARGV[3] life of the keys in ms
-- ARGV[4], [5], [6] and so on: a tenant, its use divided by its weight, 1 if callers wait or else 0
--
-- A tenant that has used nothing lately has the present virtual time: it is neither ahead nor
-- behind, and is not stored. While no tenant waits, none is ahead.
--
-- Returns {v, how far the first tenant is ahead, the second, and so on}.

local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local life = tonumber(ARGV[2])

-- read returns the reply to a command that reads a key. A key of another type is damaged, and is
-- removed.
local function read(command, key, ...)
  local reply = redis.pcall(command, key, ...)
  if not reply.err then return reply end
  redis.call('DEL', key)
  return {}
end

local v = tonumber(read('HMGET', KEYS[1], 'v')[1] or '') or 0
if not (v >= 0 and v < 2 ^ 53) then v = 0 end
read('ZRANGE', KEYS[2], 0, 0)
read('ZRANGE', KEYS[3], 0, 0)
local function digits(n) return string.format('%.0f', n) end
local function number(score) -- the embedded server writes 1e+08, which its tonumber does not read
  local m, e = string.match(score or '', '^([%d.]+)e%+(%d+)$')
  if m then return m * 10 ^ e end
  return tonumber(score or '')
end
local function reached(tenant) return math.max(number(redis.call('ZSCORE', KEYS[2], tenant)) or v, v) end

for i = 4, #ARGV, 3 do
  local used = math.min(reached(ARGV[i]) + math.max(tonumber(ARGV[i + 1]), 0), v + tonumber(ARGV[1]))
  redis.call('ZADD', KEYS[2], digits(used), ARGV[i])
  if ARGV[i + 2] == '1' then redis.call('ZADD', KEYS[3], digits(now + life), ARGV[i]) end
end

-- Reports that are too far in the future are from before the clock was set back.
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', digits(now))
redis.call('ZREMRANGEBYSCORE', KEYS[3], '(' .. digits(now + life), '+inf')
local least
for _, tenant in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', '+inf', 'LIMIT', 0, 1000)) do
  least = math.min(least or math.huge, reached(tenant))
end
if not least then
  local furthest = redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')
  least = math.max(v, number(furthest[2]) or 0)
end
v = least
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', digits(v))
redis.call('HSET', KEYS[1], 'v', digits(v))
for i = 1, 3 do redis.call('PEXPIRE', KEYS[i], ARGV[3]) end
local out = {v}
for i = 4, #ARGV, 3 do out[#out + 1] = reached(ARGV[i]) - v end
return out
