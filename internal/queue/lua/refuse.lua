-- Stores when a task was first refused.
--
-- KEYS[1] task
--
-- Returns the seconds since then; 0 for a task that is gone.

if redis.call('HEXISTS', KEYS[1], 'msg') == 0 then return 0 end
local now = redis.call('TIME')[1]
local first = tonumber(redis.call('HGET', KEYS[1], 'refused_at') or '')
if not first then redis.call('HSET', KEYS[1], 'refused_at', now) end
return tonumber(now) - (first or tonumber(now))
