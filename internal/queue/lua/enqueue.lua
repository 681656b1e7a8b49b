-- Adds a task, or joins a waiting one. The script writes only after all checks, except that it
-- creates a missing generation and increments that of a dead task; both are harmless when the call
-- is repeated.
--
-- KEYS[1] generation   KEYS[2] pending   KEYS[3] scheduled   KEYS[4] retry   KEYS[5] lease
-- KEYS[6] idempotency key, or none   KEYS[7] that of earlier releases
-- ARGV[1] prefix of task keys     ARGV[2] task ID up to its generation
-- ARGV[3] generation the message is sealed for                 ARGV[4] message
-- ARGV[5] Unix second to run at, 0 now   ARGV[6] now in nanoseconds, asynq's
-- ARGV[7] life of the generation in seconds   ARGV[8] life of the idempotency key
-- ARGV[9] task ID after its generation
--
-- Returns {result, text}: added, joined or stale with the generation; repeated with the task ID of
-- the first call.

if KEYS[6] then
  local first = redis.call('GET', KEYS[6]) or redis.call('GET', KEYS[7])
  if first then return {'repeated', first} end
end

local function keep(seconds)
  if redis.call('TTL', KEYS[1]) < tonumber(seconds) then redis.call('EXPIRE', KEYS[1], seconds) end
end

local g = redis.call('GET', KEYS[1])
if not g then
  local t = redis.call('TIME')
  local guessed = tonumber(string.sub(ARGV[3], 1, -7))
  if guessed and math.abs(guessed - tonumber(t[1])) < 86400 then
    g = ARGV[3]
  else
    g = t[1] .. string.format('%06d', tonumber(t[2]))
  end
  redis.call('SET', KEYS[1], g)
end

-- waits reports whether the task of generation g will still run.
local function waits(id, state)
  if redis.call('HEXISTS', ARGV[1] .. id, 'msg') == 0 then return false end
  if state == 'pending' then return true end
  if state == 'active' then return redis.call('ZSCORE', KEYS[5], id) end
  if state == 'scheduled' then return redis.call('ZSCORE', KEYS[3], id) end
  if state == 'retry' then return redis.call('ZSCORE', KEYS[4], id) end
  return false
end

local id = ARGV[2] .. g .. ARGV[9]
local key = ARGV[1] .. id
local result = 'added'
for _ = 1, 100 do
  if redis.call('EXISTS', key) == 0 then break end
  local state = redis.call('HGET', key, 'state')
  if waits(id, state) then
    if redis.call('HGET', key, 'msg') ~= ARGV[4] then result = 'joined' end
    local at = tonumber(ARGV[5])
    if state == 'scheduled' and at == 0 then
      redis.call('ZREM', KEYS[3], id)
      redis.call('LPUSH', KEYS[2], id)
      redis.call('HSET', key, 'state', 'pending', 'pending_since', ARGV[6])
    elseif state == 'scheduled' and at < tonumber(redis.call('ZSCORE', KEYS[3], id)) then
      redis.call('ZADD', KEYS[3], at, id)
    end
    keep(ARGV[7])
    if KEYS[6] then redis.call('SET', KEYS[6], id, 'EX', ARGV[8]) end
    return {result, g}
  end
  redis.call('INCR', KEYS[1])
  g = redis.call('GET', KEYS[1])
  id = ARGV[2] .. g .. ARGV[9]
  key = ARGV[1] .. id
end

keep(ARGV[7])
if g ~= ARGV[3] then return {'stale', g} end

if ARGV[5] == '0' then
  redis.call('HSET', key, 'msg', ARGV[4], 'state', 'pending', 'pending_since', ARGV[6])
  redis.call('LPUSH', KEYS[2], id)
else
  redis.call('HSET', key, 'msg', ARGV[4], 'state', 'scheduled')
  redis.call('ZADD', KEYS[3], ARGV[5], id)
end
if KEYS[6] then redis.call('SET', KEYS[6], id, 'EX', ARGV[8]) end
return {'added', g}
