-- The beginning of each script of a budget, after margin.lua. All times are microseconds of the
-- server's clock; %.0f keeps their digits, which Lua's own conversion drops.
--
-- KEYS[1] budget of one tenant's operation, a hash:
--   next      end of the slots that are reserved     line      next, as these scripts stored it
--   sent      when the last call was sent            blocked   no call before this time
--   ahead     slots of interactive callers, which need not be behind the others; ascending
--   shift     by how much late calls have moved all slots that are not used yet
--   moves     place:by,place:by… of calls that still wait: they moved the slots behind theirs
--   interval  the one that the vendor named          former    a shorter one, named before
--   need      calls after which former is tried      trial     the longer one, during the trial
--   kept      the margin before the trial
--   margin    learned margin                         learned   time of the last throttle response
--   clean     calls that came as early as the margin allows, since it was last changed
--   run       the same, since the interval was last changed
--   refused   margin that was too small              refused_at
--   server    run id of the server                   seen      time of the last script
-- ARGV[1] documented interval    ARGV[2] least margin
-- ARGV[3] first margin, and ARGV[4] least margin, in thousandths of the interval
-- ARGV[5] life of a learned margin    ARGV[6] life of the hash in ms
-- ARGV[7] how long before its time a call is granted, at most

local names = {'next', 'line', 'sent', 'blocked', 'shift', 'interval', 'former', 'need', 'trial',
  'kept', 'margin', 'learned', 'clean', 'run', 'refused', 'refused_at', 'seen', 'ahead', 'moves', 'server'}
local values = redis.call('HMGET', KEYS[1], unpack(names))
local known, ahead = {}, {}
for i, name in ipairs(names) do
  known[name] = values[i]
  b[name] = tonumber(values[i] or '') or 0
end
for at in string.gmatch(known.ahead or '', '%d+') do ahead[#ahead + 1] = tonumber(at) end
-- The place of a slot is its time without all shifts, so that it does not change. total is the
-- shift of a new slot.
local moves, total = {}, b.shift
for place, by in string.gmatch(known.moves or '', '(%-?%d+):(%d+)') do
  moves[#moves + 1] = {place = tonumber(place), by = tonumber(by)}
  total = total + tonumber(by)
end
local lead = tonumber(ARGV[7])

-- When the clock was set back, all times move with it: what was in the future stays as far ahead.
if b.seen > now then
  local back = b.seen - now
  for _, name in ipairs({'next', 'line', 'sent', 'blocked', 'learned', 'refused_at'}) do
    if b[name] > 0 then b[name] = math.max(1, b[name] - back) end
  end
  for i = 1, #ahead do ahead[i] = ahead[i] - back end
end
b.seen = now

interval = documentedOr(b.interval)
local margin = learnedMargin()

-- A worker of an earlier release reserves slots without saying when it sends: nothing is sent
-- before the end of its slot.
if b.next ~= b.line then b.sent = math.max(b.sent, b.next - interval - margin) end
-- Without these fields, or with times that no script stores, the account must not stop.
b.next = math.min(b.next, now + 60000000 + interval + margin)
b.sent = math.min(b.sent, now + 60000000 + interval + margin)
b.blocked = math.min(b.blocked, now + 3600000000)
-- A caller that has not come to its slot has given it up.
while ahead[1] and ahead[1] < now - (interval + margin) / 2 do table.remove(ahead, 1) end

-- The server's run id, '' where there is none (miniredis). A user without permission is an error,
-- because it would hide a failover.
local function identity()
  local info = redis.pcall('INFO', 'server')
  if type(info) ~= 'string' then
    if type(info) == 'table' and string.find(info.err or '', 'permission') then error(info.err) end
    return ''
  end
  return string.match(info, 'run_id:(%w+)') or ''
end

-- After a loss of the data, or a failover to a server that lagged, the last call may have been sent
-- a moment ago: the next one waits for a whole spacing.
local function restart(server)
  b.sent = math.max(b.sent, now + lead)
  known.server = server
end

-- shiftOf returns by how much a slot was moved, of which the caller has not been sent.
local function shiftOf(place)
  local shift = b.shift
  for _, m in ipairs(moves) do
    if m.place < place then shift = shift + m.by end
  end
  return shift
end

-- push moves the slots behind a place, at most by one spacing.
local function push(place, late)
  if late <= 0 then return end
  late = math.floor(math.min(late, interval + margin))
  moves[#moves + 1] = {place = place, by = late}
  b.next, total = b.next + late, total + late
end

-- fold adds the moves up to a place to the shift of all, because no caller before it waits, and
-- those that are too many.
local function fold(place)
  local rest = {}
  for i, m in ipairs(moves) do
    if m.place <= place or #moves - i >= 32 then
      b.shift = b.shift + m.by
    else
      rest[#rest + 1] = m
    end
  end
  moves = rest
end

local function save()
  local slots, moved = {}, {}
  for i, at in ipairs(ahead) do slots[i] = string.format('%.0f', at) end
  for i, m in ipairs(moves) do moved[i] = string.format('%.0f:%.0f', m.place, m.by) end
  b.line = b.next
  local texts = {
    ahead = table.concat(slots, ','), moves = table.concat(moved, ','), server = known.server or '',
  }
  local out = {}
  for _, name in ipairs(names) do
    if texts[name] or b[name] ~= 0 or known[name] then
      out[#out + 1], out[#out + 2] = name, texts[name] or string.format('%.0f', b[name])
    end
  end
  redis.call('HSET', KEYS[1], unpack(out))
  redis.call('PEXPIRE', KEYS[1], ARGV[6])
end
