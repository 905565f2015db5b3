"""What Redis is told to do: Lua scripts, each of which the server runs as one atomic step.

    {edge}:entries   hash     key → "v" and the value, "a" and the alias' target, "d" for a directory
    {edge}:names     zset     "PARENT:NAME" for every entry, in lexical order: the children of a directory are neighbours
    {edge}:leases    hash     name → "TOKEN OWNER ENDS", the end in milliseconds of the server's clock
    {edge}:changes   zset     area → revision of its latest change
    {edge}:counter   number   the latest revision or token, whichever was given last

The braces put all of them on one node of a Redis cluster, as scripts need. Scripts that write begin with three arguments: name
of a lease (empty for none), "TOKEN OWNER" of it, and the area that changes.
"""

from __future__ import annotations

from typing import Final

KEYS: Final = tuple(f"{{edge}}:{name}" for name in ("entries", "names", "leases", "changes", "counter"))

_COMMON: Final = """
local entries, names, leases, changes, counter = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]

local function milliseconds()
  local now = redis.call('TIME')
  return now[1] * 1000 + math.floor(now[2] / 1000)
end
"""

_WRITING: Final = (
    _COMMON
    + """
if ARGV[1] ~= '' then
  local held = redis.call('HGET', leases, ARGV[1])
  if not held or string.match(held, '^%S+ %S+') ~= ARGV[2] then return 'lost' end
end

local function changed()
  redis.call('ZADD', changes, redis.call('INCR', counter), ARGV[3])
end

local function put(key, entry)
  redis.call('HSET', entries, key, entry)
  local parent, name = string.match(key, '^(.*)/([^/]+)$')
  while parent do
    redis.call('ZADD', names, 0, parent .. ':' .. name)
    redis.call('HSETNX', entries, parent, 'd')
    parent, name = string.match(parent, '^(.*)/([^/]+)$')
  end
end
"""
)

PUT: Final = _WRITING + "put(ARGV[4], 'v' .. ARGV[5]); changed()"
"""Key, value."""

CREATE: Final = (
    _WRITING
    + """
if redis.call('HEXISTS', entries, ARGV[4]) == 1 then return 'exists' end
put(ARGV[4], 'd')
for i = 5, #ARGV, 2 do put(ARGV[4] .. '/' .. ARGV[i], 'v' .. ARGV[i + 1]) end
changed()
"""
)
"""Key, then name and value of each file."""

POINT: Final = (
    _WRITING
    + """
if redis.call('HGET', entries, ARGV[6]) ~= 'd' then return 'missing' end
put(ARGV[4], 'a' .. ARGV[5]); changed()
"""
)
"""Key, target, directory."""

REMOVE: Final = (
    _WRITING
    + """
if redis.call('HEXISTS', entries, ARGV[4]) == 0 then return end
local function remove(key)
  for _, child in ipairs(redis.call('ZRANGEBYLEX', names, '[' .. key .. ':', '(' .. key .. ';')) do
    remove(key .. '/' .. string.sub(child, #key + 2))
  end
  redis.call('HDEL', entries, key)
  local parent, name = string.match(key, '^(.*)/([^/]+)$')
  if parent then redis.call('ZREM', names, parent .. ':' .. name) end
end
remove(ARGV[4]); changed()
"""
)
"""Key."""

CLAIM: Final = (
    _COMMON
    + """
local now = milliseconds()
local held = redis.call('HGET', leases, ARGV[1])
if held and tonumber(string.match(held, '%d+$')) > now then return false end
local token = redis.call('INCR', counter)
redis.call('HSET', leases, ARGV[1], string.format('%d %s %.0f', token, ARGV[2], now + ARGV[3]))
return token
"""
)
"""Name, owner, milliseconds."""

EXTEND: Final = (
    _COMMON
    + """
local held = redis.call('HGET', leases, ARGV[1])
if not held or string.match(held, '^%S+ %S+') ~= ARGV[2] then return 0 end
redis.call('HSET', leases, ARGV[1], string.format('%s %.0f', ARGV[2], milliseconds() + ARGV[3]))
return 1
"""
)
"""Name, "TOKEN OWNER", milliseconds."""

RELEASE: Final = (
    _COMMON
    + """
local held = redis.call('HGET', leases, ARGV[1])
if held and string.match(held, '^%S+ %S+') == ARGV[2] then redis.call('HDEL', leases, ARGV[1]) end
"""
)
"""Name, "TOKEN OWNER"."""

HELD: Final = (
    _COMMON
    + """
local now, found = milliseconds(), {}
local all = redis.call('HGETALL', leases)
for i = 1, #all, 2 do
  local ends = tonumber(string.match(all[i + 1], '%d+$'))
  if ends > now then
    if string.sub(all[i], 1, #ARGV[1]) == ARGV[1] then table.insert(found, all[i]) end
  elseif ends < now - 3600000 then
    redis.call('HDEL', leases, all[i])
  end
end
return found
"""
)
"""Prefix. What ran out an hour ago was its owner's last; it is tidied away."""

CHANGES: Final = (
    _COMMON
    + """
local found = redis.call('ZRANGEBYSCORE', changes, ARGV[1], '+inf')
table.insert(found, 1, redis.call('GET', counter) or '0')
return found
"""
)
"""Lowest revision, `(` before it when it is excluded. The first item is the present one."""
