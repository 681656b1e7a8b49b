-- Restores the generation of a started task that is to wait again, or reports that a newer task
-- supersedes it. A newer task that is scheduled for later is moved forward, because it takes over
-- the work.
--
-- KEYS[1] generation   KEYS[2] scheduled   KEYS[3] retry
-- ARGV[1] prefix of task keys   ARGV[2] task ID up to its generation
-- ARGV[3] generation of the task
-- ARGV[4] the generation after it   ARGV[5] Unix second the task is to run again
-- ARGV[6] life of the generation in seconds   ARGV[7] task ID after its generation
--
-- Returns kept, or superseded.

local g = redis.call('GET', KEYS[1])
local nextID = ARGV[2] .. ARGV[4] .. ARGV[7]

if g and tonumber(g) > tonumber(ARGV[4]) then return 'superseded' end
if g == ARGV[4] then
  local state = redis.call('HGET', ARGV[1] .. nextID, 'state')
  if state == 'scheduled' then
    local at = redis.call('ZSCORE', KEYS[2], nextID)
    if at and tonumber(at) > tonumber(ARGV[5]) then redis.call('ZADD', KEYS[2], ARGV[5], nextID) end
    if at then return 'superseded' end
  elseif state == 'pending' or state == 'active' or (state == 'retry' and redis.call('ZSCORE', KEYS[3], nextID)) then
    return 'superseded'
  end
end

if not g or g == ARGV[4] then redis.call('SET', KEYS[1], ARGV[3]) end
if redis.call('TTL', KEYS[1]) < tonumber(ARGV[6]) then redis.call('EXPIRE', KEYS[1], ARGV[6]) end
return 'kept'
