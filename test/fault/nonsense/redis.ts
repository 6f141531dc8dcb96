/** Nonsense in the words of Redis (RESP2 and RESP3): every kind of reply that a command did not ask for. */
import type { Chance } from '../random/prng.js'
import { garbage, type Line, type Nonsense } from './mangler.js'

const bytes = (...texts: string[]) => texts.map(text => Buffer.from(text))

const nils = bytes('$-1\r\n', '*-1\r\n', '_\r\n')
const types = bytes(
  ':7\r\n',
  ':1\r\n',
  '+OK\r\n',
  '*0\r\n',
  '#t\r\n',
  ',1.5\r\n',
  '%1\r\n+a\r\n+b\r\n',
  '~1\r\n+a\r\n',
  '(12345678901234567890\r\n',
  '=7\r\ntxt:abc\r\n',
  '$3\r\nabc\r\n',
  '$0\r\n\r\n',
  '*1\r\n_\r\n',
  '*4\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n',
  '*3\r\n:1\r\n:1\r\n$40\r\n0000000000000000000000000000000000000000\r\n',
  '*2\r\n*1\r\n:1\r\n*0\r\n',
)
const errors = bytes(
  '-ERR nonsense\r\n',
  '-NOSCRIPT No matching script.\r\n',
  '-MOVED 5 127.0.0.1:1\r\n',
  '-MOVED 5\r\n',
  '-ASK\r\n',
  '-WRONGTYPE no\r\n',
  '-LOADING\r\n',
  '-READONLY You can not write\r\n',
  '-\r\n',
  '!5\r\nERR x\r\n',
)
const pushes = bytes(
  '>3\r\n$7\r\nmessage\r\n_\r\n_\r\n',
  '>3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n',
  '>3\r\n$9\r\nsubscribe\r\n_\r\n:1\r\n',
  '>2\r\n+invalidate\r\n_\r\n',
  '>1\r\n_\r\n',
  '>3\r\n$11\r\nunsubscribe\r\n_\r\n:0\r\n',
  '>3\r\n$7\r\nmessage\r\n$16\r\nmintmark:changed\r\n$4\r\nkeys\r\n',
)
const hostile = bytes(
  '*99999999\r\n',
  '*999999\r\n'.repeat(10),
  '$99999999999\r\n',
  '*1\r\n'.repeat(5000),
  '$-7\r\n',
  '*-3\r\n',
  ':\r\n',
  '?\r\n',
  '\r\n',
  '\0',
  'HTTP/1.1 400 Bad Request\r\n\r\n',
)

export const redisNonsense: Nonsense = {
  kinds: {
    nil: (_answer, line, _all, chance) => line.write(chance.of(nils)),
    type: (_answer, line, _all, chance) => line.write(chance.of(types)),
    error: (_answer, line, _all, chance) => line.write(chance.of(errors)),
    push(answer, line, _all, chance) {
      line.write(chance.of(pushes))
      line.write(answer)
    },
    hostile: (_answer, line, _all, chance) => line.write(chance.of(hostile)),
    length: (answer, line, _all, chance) => line.write(withAnotherLength(answer, chance)),
    'a byte': (answer, line, _all, chance) => line.write(withAnotherByte(answer, chance)),
    garbage(answer, line, _all, chance) {
      line.write(garbage(chance))
      if (chance.next() < 0.5) line.write(answer)
    },
    cut(answer, line, _all, chance) {
      line.write(answer.subarray(0, chance.between(0, answer.length - 1)))
      line.cut()
    },
    stall(answer, line, _all, chance) {
      line.write(answer.subarray(0, chance.between(0, answer.length - 1)))
      line.stall()
    },
    'of another': (_answer, line, all, chance) => line.write(answerOfAnother(line, all, chance)),
    twice(answer, line) {
      line.write(answer)
      line.write(answer)
    },
    'one more': (answer, line, _all, chance) =>
      line.write(Buffer.concat([chance.of([...nils, ...types]), answer])),
    'out of turn': (answer, line) => line.later(answer),
    'bit by bit'(answer, line) {
      for (const byte of answer) line.write(Buffer.of(byte))
    },
  },
  meets: () => Object.keys(redisNonsense.kinds),
  strays: [...nils, ...types, ...errors, ...pushes, ...hostile],
  split() {
    let rest = Buffer.alloc(0)
    return chunk => {
      rest = Buffer.concat([rest, chunk])
      const answers: Buffer[] = []
      for (let end = endOfReply(rest, 0); end !== undefined; end = endOfReply(rest, 0)) {
        answers.push(rest.subarray(0, end))
        rest = rest.subarray(end)
      }
      return answers
    }
  },
}

/** Where the reply that begins there ends; undefined where it is not all there. */
function endOfReply(bytes: Buffer, at: number): number | undefined {
  const line = bytes.indexOf('\r\n', at)
  if (line === -1) return undefined
  const type = String.fromCharCode(bytes[at] as number)
  const length = Number(bytes.toString('latin1', at + 1, line))
  const after = line + 2
  if ('$=!'.includes(type)) {
    const end = length < 0 ? after : after + length + 2
    return end <= bytes.length ? end : undefined
  }
  if (!'*~%>'.includes(type)) return after
  let end: number | undefined = after
  for (let value = 0; value < (type === '%' ? 2 * length : length) && end !== undefined; value++)
    end = endOfReply(bytes, end)
  return end
}

function withAnotherLength(answer: Buffer, chance: Chance): Buffer {
  const text = answer.toString('latin1')
  const lengths = [...text.matchAll(/[$*](\d+)\r\n/g)]
  if (lengths.length === 0) return chance.of(hostile)
  const [of, length = '0'] = chance.of(lengths)
  const other = chance.of([Number(length) + 1, Number(length) - 1, 10 * Number(length), 99_999_999, -5])
  return Buffer.from(text.replace(of, `${of[0]}${other}\r\n`), 'latin1')
}

function withAnotherByte(answer: Buffer, chance: Chance): Buffer {
  const copy = Buffer.from(answer)
  const at = chance.between(0, copy.length - 1)
  copy[at] = ((copy[at] as number) + chance.between(1, 255)) % 256
  return copy
}

function answerOfAnother(line: Line, all: readonly Line[], chance: Chance): Buffer {
  const others = all.flatMap(other => (other === line ? other.answers.slice(0, -1) : other.answers))
  return others.length === 0 ? chance.of(types) : chance.of(others)
}
