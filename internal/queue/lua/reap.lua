-- Returns tasks whose leases have expired to the front of their lane. A run that was marked as
-- started counts as a crash. A task that has crashed too often stays active with a short lease and
-- a token that no run has, so that the caller can move it to quarantine. In quarantine it waits
-- before it runs again, so that a worker that was only frozen can take the crash back.
--
-- KEYS[1] pending
-- ARGV[1] number of tasks at most   ARGV[2] length of a lease in seconds
-- ARGV[3] crashes after which a task is moved, or 0 in quarantine   ARGV[4] wait in quarantine
-- The last two are those of demand.lua.
--
-- Returns {returned, dropped, {{id, message, token, crashes, token of the last run that crashed}…}}
-- with the tasks to move.

local returned, dropped, move = 0, 0, {}
local limit = tonumber(ARGV[3])

-- done reports whether a task has succeeded in quarantine after its move there was interrupted.
local function done(id)
  if records == '' then return false end
  local outcome = redis.call('GET', string.gsub(records, 'd:$', 'o:') .. id)
  return outcome and string.find(outcome, '"state":"done"', 1, true)
end

for _, id in ipairs(redis.call('ZRANGEBYSCORE', lease, '-inf', string.format('%.3f', now), 'LIMIT', 0, ARGV[1])) do
  local key = task .. id
  local f = fields(id, 'msg', 'state', 'run', 'mark', 'crashes', 'crashed')
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
      crashes = crashes + 1
      redis.call('HSET', key, 'crashes', crashes, 'crashed', f[3])
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
