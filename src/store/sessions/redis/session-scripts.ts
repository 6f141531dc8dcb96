/** The Lua of session rows: each script is one step that no other client of Redis sees half done, on one key. */
import { createHash } from 'node:crypto'

/** Nothing of ours is longer: what is, was planted, and is not even fetched. */
const mostBytes = 8192

/**
 * A row's fields, or nothing. A master is asked whether it is one before it may say that there is not one: deleting what
 * is not there changes nothing, and a replica, or a master that has lost its replicas, refuses to.
 */
const read = `
local kind = redis.call('type', KEYS[1])['ok']
if kind == 'none' then redis.call('del', KEYS[1]) return false end
if kind ~= 'hash' then return false end
for _, field in ipairs({'row', 'mac', 'seen', 'place'}) do
  if redis.call('hstrlen', KEYS[1], field) > ${mostBytes} then return false end
end
return redis.call('hmget', KEYS[1], 'row', 'mac', 'seen', 'place')`

/** Written once. row, mac, seen, milliseconds to live. */
const write = `
if redis.call('exists', KEYS[1]) == 1 then return 0 end
redis.call('hset', KEYS[1], 'row', ARGV[1], 'mac', ARGV[2], 'seen', ARGV[3])
redis.call('pexpire', KEYS[1], ARGV[4])
return 1`

/** What was written a moment ago and came to nothing. Its row. */
const undo = `
if redis.call('hget', KEYS[1], 'row') == ARGV[1] then redis.call('del', KEYS[1]) end
return 1`

/** Only forward, and only of the row that was read. Its mac, the time, the time with its mac. */
const touch = `
if redis.call('hget', KEYS[1], 'mac') ~= ARGV[1] then return 0 end
local before = redis.call('hget', KEYS[1], 'seen') or ''
if string.sub(before, 1, #ARGV[2]) >= ARGV[2] then return 0 end
redis.call('hset', KEYS[1], 'seen', ARGV[3])
return 1`

/** Its mac, the tenant with its mac. */
const place = `
if redis.call('hget', KEYS[1], 'mac') ~= ARGV[1] then return 0 end
redis.call('hset', KEYS[1], 'place', ARGV[2])
return 1`

/** It has ended: kept a while, so that anybody who presents it is told why. Milliseconds. */
const retire = `
if redis.call('pttl', KEYS[1]) > tonumber(ARGV[1]) then redis.call('pexpire', KEYS[1], ARGV[1]) end
return 1`

/**
 * As it is in the other store now, whose row has the tenant; of the same row under the same key the later last-seen
 * stays. row, mac, seen, milliseconds to live.
 */
const copy = `
if redis.call('type', KEYS[1])['ok'] ~= 'hash' or redis.call('hget', KEYS[1], 'mac') ~= ARGV[2] then
  redis.call('del', KEYS[1])
end
redis.call('hdel', KEYS[1], 'place')
local seen = redis.call('hget', KEYS[1], 'seen') or ''
if string.sub(seen, 1, 27) < string.sub(ARGV[3], 1, 27) then seen = ARGV[3] end
redis.call('hset', KEYS[1], 'row', ARGV[1], 'mac', ARGV[2], 'seen', seen)
redis.call('pexpire', KEYS[1], ARGV[4])
return 1`

/** Of a user's index: the id, its end, milliseconds to live, and now: what has ended by then leaves it. */
const list = `
local kind = redis.call('type', KEYS[1])['ok']
if kind ~= 'zset' and kind ~= 'none' then redis.call('del', KEYS[1]) end
redis.call('zremrangebyscore', KEYS[1], '-inf', ARGV[4])
redis.call('zadd', KEYS[1], ARGV[2], ARGV[1])
if redis.call('pttl', KEYS[1]) < tonumber(ARGV[3]) then redis.call('pexpire', KEYS[1], ARGV[3]) end
return 1`

/** The ids of a user's index, the last to end first. */
const listed = `
if redis.call('type', KEYS[1])['ok'] ~= 'zset' then return {} end
return redis.call('zrevrange', KEYS[1], 0, ARGV[1])`

const steps = { read, write, undo, touch, place, retire, copy, list, listed }
export type Script = keyof typeof steps

/**
 * Each reply begins with a hash of the key, of what the asker named this call (the last of ARGV) and of all that is
 * answered: a reply to another call, and one that was altered on its way, are told from an answer by it, and so never
 * mean that there is nothing.
 */
const answering = (step: string) => `
local function step() ${step} end
local said = step()
if type(said) ~= 'table' then said = {said} end
local parts, reply = {KEYS[1], ARGV[#ARGV]}, {}
for i = 1, #said do
  local text = said[i] and tostring(said[i])
  parts[i + 2] = text and '+' .. #text .. ' ' .. text or '-'
  reply[i + 1] = text
end
reply[1] = redis.sha1hex(table.concat(parts, '\\n'))
return reply`

export const scripts = Object.fromEntries(
  Object.entries(steps).map(([name, step]) => [name, answering(step)]),
) as Readonly<Record<Script, string>>

/** What was answered, nothing as null; undefined where the reply is not one to this call. */
export function answerIn(reply: unknown, key: string, call: string): (string | null)[] | undefined {
  if (!Array.isArray(reply)) return undefined
  const [proof, ...said] = reply as unknown[]
  const hash = createHash('sha1').update(`${key}\n${call}`)
  for (const one of said) {
    if (Buffer.isBuffer(one)) hash.update(`\n+${one.length} `).update(one)
    else if (one === null) hash.update('\n-')
    else return undefined
  }
  if (!Buffer.isBuffer(proof) || proof.toString() !== hash.digest('hex')) return undefined
  return said.map(one => (one === null ? null : String(one)))
}
