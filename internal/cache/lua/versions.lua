-- Returns what a cluster's client cannot read with commands of their own, because it sends those
-- without a key to any node: versions, and by which server they are read.
--
-- KEYS  1 meta
-- ARGV  fields of the meta hash
-- returns {values of the fields, now µs, history}
return {redis.call('HMGET', KEYS[1], unpack(ARGV)), dec(now), history}
