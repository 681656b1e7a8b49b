-- Keeps a task's outcome. A Redis that is full refuses SET but not DEL, and refuses nothing in a
-- script that has written: the task whose outcome this is frees more than the outcome takes.
--
-- KEYS[1] outcome
-- ARGV[1] the outcome   ARGV[2] its life in seconds

redis.call('DEL', KEYS[1])
return redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
