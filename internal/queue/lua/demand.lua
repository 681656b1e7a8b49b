-- Functions about the tasks of a lane and the record of a digest; the scripts of this directory
-- begin with this file. It defines:
--
-- pending, active, lease, scheduled, retry   asynq's keys of the lane
-- task      prefix of task keys
-- clock     Redis' time: seconds and microseconds; now is the same in seconds
-- life      how long a record outlives its last use, in seconds
--
-- The record of a digest is a hash:
--   gen    the last generation that was given out
--   begun  the last generation whose user code has started, other than runs that have expired
--   before  a generation, and what begun is to be again if its task expires
--   run    the ID of the task that runs, or ran last
--   held   until when, in seconds, that task counts as running because it is in quarantine
--   next   the IDs of the tasks that wait, with spaces between them
--
-- ARGV[last - 1] prefix of asynq's keys of the lane   ARGV[last] prefix of records, '' for none

local base, records = ARGV[#ARGV - 1], ARGV[#ARGV]
local pending, active, lease = base .. 'pending', base .. 'active', base .. 'lease'
local scheduled, retry, task = base .. 'scheduled', base .. 'retry', base .. 't:'
local clock = redis.call('TIME')
local micros = clock[1] .. string.format('%06d', tonumber(clock[2]))
local now = tonumber(micros) / 1000000
local life = GENERATION_LIFE

-- recordOf returns the key of the record for a task's ID, or nil.
local function recordOf(id)
  if records == '' then return nil end
  local digest = string.match(id, '^([a-z2-7]+)%.%d+%.') or string.match(id, '^[a-z]+%-([a-z2-7]+)%-%d+$')
  if not digest or #digest ~= 26 then return nil end
  return records .. digest
end

-- read returns fields of a hash. A key that is not a hash is damaged, and is removed.
local function read(key, ...)
  local f = redis.pcall('HMGET', key, ...)
  if not f.err then return f end
  redis.call('DEL', key)
  return {}
end

-- fields returns fields of a task.
local function fields(id, ...) return read(task .. id, ...) end

-- keep renews the life of a record, at most once an hour.
local function keep(record, seconds)
  if redis.call('TTL', record) < tonumber(seconds) - 3600 then redis.call('EXPIRE', record, seconds) end
end

-- listed returns the IDs of the tasks that wait, according to the record, and the same as text.
local function listed(record)
  local ids, text = {}, read(record, 'next')[1] or ''
  for id in string.gmatch(text, '%S+') do table.insert(ids, id) end
  return ids, text
end

-- unlist removes a task from those that wait.
local function unlist(record, id)
  local ids = {}
  for _, other in ipairs(listed(record)) do
    if other ~= id then table.insert(ids, other) end
  end
  redis.call('HSET', record, 'next', table.concat(ids, ' '))
end

-- relist makes a task the first of those that wait.
local function relist(record, id)
  unlist(record, id)
  redis.call('HSET', record, 'next', id .. ' ' .. redis.call('HGET', record, 'next'))
  keep(record, life)
end

-- due returns when a waiting task runs and what it waits in: 0 means as soon as possible. A task
-- that was popped and is still listed has not started. A task that is booked, which means scheduled
-- for its place in the vendor's budget, counts for demands as one that runs when it was
-- demanded for. For a task that does not wait it returns nil.
local function due(id)
  local f = fields(id, 'state', 'parked', 'booked')
  if redis.call('HEXISTS', task .. id, 'msg') == 0 then return nil end
  if f[1] == 'pending' then return 0, 'pending' end
  if f[1] == 'active' and redis.call('ZSCORE', lease, id) then return 0, 'active' end
  local score = (f[1] == 'scheduled' and redis.call('ZSCORE', scheduled, id)) or (f[1] == 'retry' and redis.call('ZSCORE', retry, id))
  if not score then return nil end
  if f[2] then return 0, 'parked' end
  if f[3] and f[1] == 'scheduled' then return tonumber(f[3]) or 0, 'booked' end
  return tonumber(score), f[1]
end

-- generationOf returns the generation in a task's ID as text, '' for a task of an earlier release.
local function generationOf(id) return string.match(id, '%.(%d+)%.') or '' end

-- undoable returns the generation whose expiry changes begun, and what begun is to be then.
local function undoable(record)
  return string.match(read(record, 'before')[1] or '', '^(%d+) (%d+)$')
end

-- demandedAt records that a task was demanded for a time in microseconds. The latest time counts. A
-- task whose time is not known, because an earlier release added it, has none: a demand of that
-- release may be for a later time.
local function demandedAt(id, latest)
  local before = tonumber(fields(id, 'demanded')[1])
  if not before or latest <= before then return end
  redis.call('HDEL', task .. id, 'demanded') -- a Redis that is full refuses HSET, unless the script has removed something
  redis.call('HSET', task .. id, 'demanded', string.format('%.0f', latest))
end

-- demanded records that a task is demanded for a time in seconds, 0 now, by Redis' clock.
local function demanded(id, at) demandedAt(id, math.max(at, now) * 1000000) end

-- replayed records that a waiting task is to do the work of a dead letter that an operator replays.
local function replayed(id)
  demanded(id, 0)
  redis.call('HSET', task .. id, 'replayed', '1')
end

-- front makes a task that is in no set the next of its lane.
local function front(id)
  redis.call('RPUSH', pending, id)
  redis.call('HSET', task .. id, 'state', 'pending', 'pending_since', micros .. '000')
  redis.call('HDEL', task .. id, 'parked', 'booked')
end

-- current reports whether a run still has its task. Outside of a server a run has no token.
local function current(id, token)
  return token == '' or (fields(id, 'run')[1] == token and redis.call('ZSCORE', lease, id))
end

-- busy reports whether another task of the digest runs.
local function busy(record, id)
  local f = read(record, 'run', 'held')
  if not f[1] or f[1] == id then return false end
  if fields(f[1], 'state')[1] == 'active' and redis.call('ZSCORE', lease, f[1]) then return true end
  return f[2] and tonumber(f[2]) > now
end

-- release ends the run of a task for its digest and starts the task that waits behind it.
local function release(record, id)
  if read(record, 'run')[1] ~= id then return end
  redis.call('HDEL', record, 'run', 'held')
  for _, other in ipairs(listed(record)) do
    local _, state = due(other)
    if state == 'parked' then
      redis.call('ZREM', scheduled, other)
      front(other)
      return
    end
  end
end
