"""What Redis does with leases of sessions, in one step each and by its own clock; ``app.core.leases`` calls them.

``held:<device>`` and ``waiters:<device>`` are hashes of records by lease, ``queue:<device>`` orders those who wait,
``owner:<generation>`` lives as long as its process is heard from, ``places:<generation>`` are the devices it may have
something at, and ``wanted:<generation>`` those where others wait for it. All scripts but LIST answer with the epoch.
"""

_COMMON = """
local P, OWNER, OWNER_TTL, TICKET_TTL, SETTLE, KNOWN = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)

-- The epoch begins when Redis knows nothing. Until it has settled, nothing is granted.
local function epoch()
    local id = redis.call('HGET', P .. 'epoch', 'id')
    if not id then
        id = clock[1] .. '.' .. clock[2]
        local wait = KNOWN == '' and SETTLE or OWNER_TTL
        redis.call('HSET', P .. 'epoch', 'id', id, 'began', now, 'settled', now + wait)
    elseif KNOWN ~= '' and KNOWN ~= id then
        local began = tonumber(redis.call('HGET', P .. 'epoch', 'began'))
        redis.call('HSET', P .. 'epoch', 'settled', began + OWNER_TTL)
    end
    return id
end

local function live()
    redis.call('SET', P .. 'owner:' .. OWNER, '1', 'PX', OWNER_TTL)
end

local function note_place(device)
    redis.call('ZADD', P .. 'devices', 0, device)
    redis.call('SADD', P .. 'places:' .. OWNER, device)
    redis.call('EXPIRE', P .. 'places:' .. OWNER, 86400)
end

local function tidy(device)
    if redis.call('HLEN', P .. 'held:' .. device) == 0 and redis.call('ZCARD', P .. 'queue:' .. device) == 0 then
        redis.call('ZREM', P .. 'devices', device)
    end
end

-- A device's living leases; those whose owner has not been heard from are dropped.
local function held(device)
    local key, living, heard = P .. 'held:' .. device, {}, {}
    local flat = redis.call('HGETALL', key)
    for i = 1, #flat, 2 do
        local lease = cjson.decode(flat[i + 1])
        if heard[lease.owner] == nil then
            heard[lease.owner] = redis.call('EXISTS', P .. 'owner:' .. lease.owner) == 1
        end
        if heard[lease.owner] then
            lease.id = flat[i]
            living[#living + 1] = lease
        else
            redis.call('HDEL', key, flat[i])
        end
    end
    return living
end

local function leave_queue(device, id)
    redis.call('ZREM', P .. 'queue:' .. device, id)
    redis.call('HDEL', P .. 'waiters:' .. device, id)
end

-- Those who wait for a device, in their order; who has not asked for a while is dropped.
local function waiting(device)
    local living = {}
    for _, id in ipairs(redis.call('ZRANGE', P .. 'queue:' .. device, 0, -1)) do
        local text = redis.call('HGET', P .. 'waiters:' .. device, id)
        local waiter = text and cjson.decode(text)
        if waiter and now - waiter.asked <= tonumber(TICKET_TTL) then
            waiter.id = id
            living[#living + 1] = waiter
        else
            leave_queue(device, id)
        end
    end
    return living
end

local function owned(record)
    local lease = cjson.decode(record)
    lease.owner = OWNER
    return lease
end
"""

ASK = (
    _COMMON
    + """
local device, id, record, most, nudge = ARGV[7], ARGV[8], owned(ARGV[9]), tonumber(ARGV[10]), ARGV[11]
local this_epoch = epoch()
live()
local living, queue = held(device), waiting(device)
local ahead = #queue
for place, waiter in ipairs(queue) do
    if waiter.id == id then ahead = place - 1 end
end
local settled = tonumber(redis.call('HGET', P .. 'epoch', 'settled'))
note_place(device)
if now >= settled and #living + ahead < most then
    leave_queue(device, id)
    record.since, record.granted = now / 1000, now
    redis.call('HSET', P .. 'held:' .. device, id, cjson.encode(record))
    return {'granted', this_epoch}
end
redis.call('ZADD', P .. 'queue:' .. device, 'NX', redis.call('INCR', P .. 'arrivals'), id)
record.asked = now
redis.call('HSET', P .. 'waiters:' .. device, id, cjson.encode(record))
if nudge ~= '' and ahead < #living then
    local nudged = {}
    local function tell(owner)
        if owner ~= OWNER and not nudged[owner] then
            nudged[owner] = true
            redis.call('RPUSH', P .. 'wanted:' .. owner, device)
            redis.call('EXPIRE', P .. 'wanted:' .. owner, 5)
        end
    end
    for _, lease in ipairs(living) do
        if nudge == 'first' and lease.idle and next(nudged) == nil then tell(lease.owner) end
    end
    if next(nudged) == nil then
        for _, lease in ipairs(living) do tell(lease.owner) end
    end
end
local answer = {'wait', this_epoch, ahead}
for _, lease in ipairs(living) do answer[#answer + 1] = cjson.encode(lease) end
return answer
"""
)
"""Take a lease, or queue for it: device, lease, record, most, and whether its holders are to be told."""

DROP = (
    _COMMON
    + """
local device, id = ARGV[7], ARGV[8]
leave_queue(device, id)
redis.call('HDEL', P .. 'held:' .. device, id)
tidy(device)
return {'ok', KNOWN}
"""
)
"""Give a lease back: device, lease."""

RENEW = (
    _COMMON
    + """
live()
for i = 7, #ARGV, 3 do
    local text = redis.call('HGET', P .. 'held:' .. ARGV[i], ARGV[i + 1])
    if text then
        local record = owned(ARGV[i + 2])
        record.granted = cjson.decode(text).granted
        redis.call('HSET', P .. 'held:' .. ARGV[i], ARGV[i + 1], cjson.encode(record))
    end
end
return {'ok', epoch()}
"""
)
"""Be heard from, and tell what has changed: device, lease and record of each."""

SYNC = (
    _COMMON
    + """
local this_epoch, young = epoch(), tonumber(ARGV[7])
live()
for _, device in ipairs(redis.call('SMEMBERS', P .. 'places:' .. OWNER)) do
    for _, lease in ipairs(held(device)) do
        if lease.owner == OWNER and now - lease.granted > young then
            redis.call('HDEL', P .. 'held:' .. device, lease.id)
        end
    end
    tidy(device)
end
for i = 8, #ARGV, 3 do
    note_place(ARGV[i])
    leave_queue(ARGV[i], ARGV[i + 1])
    local record = owned(ARGV[i + 2])
    record.granted = now
    redis.call('HSET', P .. 'held:' .. ARGV[i], ARGV[i + 1], cjson.encode(record))
end
return {'ok', this_epoch}
"""
)
"""Tell everything that is held, in place of what was told a while ago: an age, and device, lease, record of each."""

FREE = (
    _COMMON
    + """
for _, device in ipairs(redis.call('SMEMBERS', P .. 'places:' .. OWNER)) do
    for _, lease in ipairs(held(device)) do
        if lease.owner == OWNER then redis.call('HDEL', P .. 'held:' .. device, lease.id) end
    end
    for _, waiter in ipairs(waiting(device)) do
        if waiter.owner == OWNER then leave_queue(device, waiter.id) end
    end
    tidy(device)
end
redis.call('DEL', P .. 'owner:' .. OWNER, P .. 'places:' .. OWNER, P .. 'wanted:' .. OWNER)
return {'ok', KNOWN}
"""
)
"""Forget an owner, with all that it held or waited for."""

LIST = (
    _COMMON
    + """
local after, limit, shown = ARGV[7], tonumber(ARGV[8]), {}
while #shown < limit do
    local start = after == '' and '-' or '(' .. after
    local devices = redis.call('ZRANGEBYLEX', P .. 'devices', start, '+', 'LIMIT', 0, limit)
    if #devices == 0 then break end
    for _, device in ipairs(devices) do
        after = device
        local living, queue = held(device), waiting(device)
        if #living + #queue == 0 then
            tidy(device)
        elseif #shown < limit then
            local entry = {key = device}
            if #living > 0 then entry.held = living end
            if #queue > 0 then entry.queue = queue end
            shown[#shown + 1] = cjson.encode(entry)
        else
            break
        end
    end
end
table.insert(shown, 1, redis.call('ZCARD', P .. 'devices'))
return shown
"""
)
"""Return how many devices there are, and a page of them: the device before it, and the page's length."""
