-- Marks a run before its user code starts. Later demands then get a task of their own, so the time
-- of the latest demand is final.
--
-- KEYS[1] pending   KEYS[2] generation of an earlier release, only for its tasks
-- ARGV[1] task ID   ARGV[2] token of the run
-- The last two are those of demand.lua.
--
-- Returns {started, the time of the latest demand in microseconds, 1 if it was replayed}, with ''
-- for what is not known; or {stale}.

local id = ARGV[1]
if not current(id, ARGV[2]) then return {'stale'} end
redis.call('HDEL', task .. id, 'mark') -- a Redis that is full refuses HSET, unless the script has removed something
if ARGV[2] ~= '' then redis.call('HSET', task .. id, 'mark', ARGV[2]) end
-- A producer of the earlier release then gives its next demand another generation.
if KEYS[2] then redis.call('DEL', KEYS[2]) end
local record = recordOf(id)
if record then
  unlist(record, id)
  local g, begun = generationOf(id), redis.call('HGET', record, 'begun') or '0'
  if g ~= '' and tonumber(g) > tonumber(begun) then
    redis.call('HSET', record, 'begun', g)
    if undoable(record) ~= g then redis.call('HSET', record, 'before', g .. ' ' .. begun) end
  end
end
local f = fields(id, 'demanded', 'replayed')
return {'started', f[1] or '', f[2] or ''}
