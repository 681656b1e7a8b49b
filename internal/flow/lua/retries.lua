-- Counts the calls of one tenant's operation, and limits how many of them are retries: a bucket of
-- tokens that time and answers fill and that retries empty. All times are microseconds of the
-- server's clock.
--
-- KEYS[1] a hash:
--   tokens   in the bucket at the time at; negative for reserved ones
--   mi mc mp number of the present minute, and the calls that were sent in it and in the one before
--   hi hc hp the same of hours
--   di dc dp the same of hours, for retries that had to wait for longer
-- ARGV[1] sent, take or reserve
--   sent     counts a call, and adds tokens for it
--   take     takes a token if there is a whole one
--   reserve  takes a token, or one that is to come
-- ARGV[2] tokens for the call     ARGV[3] how long ago it was sent
-- ARGV[4] size of the bucket      ARGV[5] time that adds one token
-- ARGV[6] longest wait            ARGV[7] life of the hash in ms
--
-- Returns how long to wait for the token; 0 if it was taken. A token that is further away than the
-- longest wait is not reserved.

local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local f = redis.call('HMGET', KEYS[1], 'tokens', 'at', 'mi', 'mc', 'mp', 'hi', 'hc', 'hp', 'di', 'dc', 'dp')
local function field(i) return tonumber(f[i] or '') or 0 end
local size, period, longest = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])

local tokens = f[1] and field(1) or size
tokens = math.min(size, tokens + math.max(0, now - field(2)) / period)
if not f[1] then tokens = size end

-- count counts an event in the window that it belongs to, or in the one before.
local function count(first, name, length, at)
  local i, known, present, previous = math.floor(at / length), field(first), field(first + 1), field(first + 2)
  if i == known then present = present + 1
  elseif i == known + 1 then known, previous, present = i, present, 1
  elseif i == known - 1 then previous = previous + 1
  elseif i > known or known - i > 1 then known, previous, present = i, 0, 1 end
  redis.call('HSET', KEYS[1], name .. 'i', string.format('%.0f', known), name .. 'c', present, name .. 'p', previous)
end

local wait = 0
if ARGV[1] == 'sent' then
  tokens = math.min(size, tokens + ARGV[2])
  count(3, 'm', 60000000, now - ARGV[3])
  count(6, 'h', 3600000000, now - ARGV[3])
elseif tokens >= 1 then
  tokens = tokens - 1
else
  wait = math.min(longest, math.ceil((1 - tokens) * period))
  if ARGV[1] == 'reserve' and (1 - tokens) * period < longest then tokens = tokens - 1 end
  count(9, 'd', 3600000000, now)
end
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens), 'at', string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], ARGV[7])
return wait
