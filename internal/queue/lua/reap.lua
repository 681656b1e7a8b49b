-- Returns tasks whose leases have expired to the front of their lane. A run that was marked as
-- started counts as a crash. A task that has crashed too often stays active with a short lease and
-- a token that no run has, so that the caller can move it to quarantine. In quarantine it waits
-- before it runs again, so that a worker that was only frozen can take the crash back.
--
-- After a time without a reap, in which Redis may have been unreachable, it waits: the workers
-- renew the leases that they can, and remove the marks of the runs that they have lost.
--
-- KEYS[1] pending   KEYS[2] when the last reap was, and when tasks are returned again
-- ARGV[1] number of tasks at most   ARGV[2] length of a lease in seconds
-- ARGV[3] crashes after which a task is moved, or 0 in quarantine   ARGV[4] wait in quarantine
-- ARGV[5] time without a reap, in seconds, after which it waits   ARGV[6] how long it waits
-- ARGV[7] how long a crash counts
-- The last two are those of demand.lua.
--
-- Returns {returned, dropped, {{id, message, token, crashes, token of the last run that crashed}…}}
-- with the tasks to move.

local returned, dropped, move = 0, 0, {}
local limit = tonumber(ARGV[3])

if redis.call('ZCARD', lease) == 0 then return {0, 0, {}} end
local was, resume = string.match(redis.call('GET', KEYS[2]) or '', '^(%S+) (%S+)$')
was, resume = tonumber(was), tonumber(resume) or 0
-- One wait per lease at most, so that slow workers return tasks too. Without a known reap Redis may
-- have been unreachable since the first task was taken.
local gap = not was or now - was > tonumber(ARGV[5])
if gap and now > resume + ARGV[2] then resume = now + ARGV[6] end
redis.call('DEL', KEYS[2]) -- a Redis that is full refuses SET, unless the script has removed something
redis.call('SET', KEYS[2], string.format('%.3f %.3f', now, resume), 'EX', 3600)
if now < resume then return {0, 0, {}} end

-- done reports whether a task has succeeded in quarantine after its move there was interrupted.
local function done(id)
  if records == '' then return false end
  local outcome = redis.call('GET', string.gsub(records, 'd:$', 'o:') .. id)
  return outcome and string.find(outcome, '"state":"done"', 1, true)
end

for _, id in ipairs(redis.call('ZRANGEBYSCORE', lease, '-inf', string.format('%.3f', now), 'LIMIT', 0, ARGV[1])) do
  local key = task .. id
  local f = fields(id, 'msg', 'state', 'run', 'mark', 'crashes', 'crashed', 'crashed_at')
  redis.call('ZREM', lease, id)
  redis.call('LREM', active, 0, id)
  if not f[1] then
    redis.call('DEL', key)
    dropped = dropped + 1
  elseif f[2] ~= 'active' then
    dropped = dropped + 1
  else
    local crashes, counted = tonumber(f[5] or 0), f[4] and f[4] == f[3]
    if counted then
      if limit > 0 and f[7] and now - f[7] > tonumber(ARGV[7]) then crashes = 0 end
      crashes = crashes + 1
      redis.call('HSET', key, 'crashes', crashes, 'crashed', f[3], 'crashed_at', clock[1])
    end
    redis.call('HDEL', key, 'mark')
    local record = recordOf(id)
    if limit > 0 and crashes >= limit and not counted and done(id) then
      redis.call('DEL', key)
      if record then release(record, id) end
      dropped = dropped + 1
    elseif limit > 0 and crashes >= limit then
      local token = string.format('%.0f', (tonumber(f[3]) or 0) + 1)
      redis.call('LPUSH', active, id)
      redis.call('ZADD', lease, string.format('%.3f', now + ARGV[2]), id)
      redis.call('HSET', key, 'run', token)
      table.insert(move, {id, f[1], token, tostring(crashes), counted and f[3] or f[6] or '0'})
    elseif limit == 0 and counted then
      redis.call('HSET', key, 'state', 'scheduled')
      redis.call('ZADD', scheduled, math.ceil(now + ARGV[4]), id)
    else
      front(id)
      if record then relist(record, id) end
      returned = returned + 1
    end
  end
end
return {returned, dropped, move}
