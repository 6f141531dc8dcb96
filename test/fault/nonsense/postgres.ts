/**
 * Nonsense in the words of Postgres ("Message Formats"): messages that are none, that nobody asked for, that lack a
 * part. What is well-formed and belongs to the same statement of somebody else can only be told where the statement
 * says what it was asked, so only the connections of checks, mints and introspections meet it.
 */
import type { Chance } from '../random/prng.js'
import { garbage, type Line, type Nonsense } from './mangler.js'

function message(type: string, body: Buffer | string = ''): Buffer {
  const bytes = Buffer.from(body as string)
  const head = Buffer.alloc(5)
  head.write(type, 'latin1')
  head.writeUInt32BE(bytes.length + 4, 1)
  return Buffer.concat([head, bytes])
}

const error = (type: string, code: string) => message(type, `SERROR\0VERROR\0C${code}\0Mnonsense\0\0`)

const errors = [
  error('E', '57P01'),
  error('E', 'XX000'),
  error('E', '53300'),
  error('E', '40001'),
  error('E', '0'),
  message('E', 'Mno code\0\0'),
  message('E', 'no end'),
  message('E'),
]

const strays = [
  ...errors,
  message('Z', 'I'),
  message('Z', '?'),
  message('C', 'SELECT 5\0'),
  message('C', 'no end'),
  message('D', Buffer.from([0, 1, 0, 0, 0, 1, 116])),
  message('D', Buffer.from([0, 9, 0, 0])),
  message('D', Buffer.from([0, 1, 0xff, 0xff, 0xff, 0xf0])),
  message('T', Buffer.from([0, 1, 97])),
  message('T', Buffer.from([0xff, 0xff])),
  message('T'),
  message('n'),
  message('t', Buffer.from([0, 9])),
  message('1'),
  message('2'),
  message('3'),
  message('s'),
  message('G', Buffer.from([0, 0, 0])),
  message('H', Buffer.from([0, 0, 0])),
  message('W', Buffer.from([0, 0, 0])),
  message('c'),
  message('d', 'x'),
  message('I'),
  message('V'),
  message('v', Buffer.alloc(8)),
  message('R'),
  message('R', Buffer.from([0, 0, 0, 5])),
  message('R', Buffer.concat([Buffer.from([0, 0, 0, 10]), Buffer.from('NONE\0\0')])),
  message('R', Buffer.concat([Buffer.from([0, 0, 0, 11]), Buffer.from('r=x,s=eA==,i=4294967295')])),
  message('R', Buffer.concat([Buffer.from([0, 0, 0, 11]), Buffer.from('nonsense')])),
  message('R', Buffer.concat([Buffer.from([0, 0, 0, 12]), Buffer.from('v=nonsense')])),
  message('K', 'x'),
  message('S', 'one text\0'),
  message('A', Buffer.from([0, 0, 0, 1, 97])),
  error('N', '00000'),
  error('N', '01000'),
  message('?', 'x'),
  Buffer.from([90, 0, 0, 0, 0]),
  Buffer.from([68, 0xff, 0xff, 0xff, 0xff, 1]),
]

const onlyWhereItIsAsked = ['a value lost', 'an empty value', 'of another']

export const postgresNonsense: Nonsense = {
  kinds: {
    error(answer, line, _all, chance) {
      line.write(chance.of(errors))
      line.write(answer)
    },
    'one more': (answer, line, _all, chance) => line.write(Buffer.concat([chance.of(strays), answer])),
    'in its place': (_answer, line, _all, chance) => line.write(chance.of(strays)),
    lost: () => {},
    twice: (answer, line) => line.write(Buffer.concat([answer, answer])),
    'another type'(answer, line, _all, chance) {
      line.write(Buffer.concat([Buffer.of(chance.between(0, 255)), answer.subarray(1)]))
    },
    length(answer, line, _all, chance) {
      const copy = Buffer.from(answer)
      const length = copy.readUInt32BE(1)
      copy.writeUInt32BE(chance.of([length + 1, Math.max(0, length - 1), 0, 3, 0xffff_ffff, 2 ** 25]), 1)
      line.write(copy)
    },
    'cut short'(answer, line, _all, chance) {
      const body = answer.subarray(5, chance.between(5, Math.max(5, answer.length - 1)))
      line.write(message(String.fromCharCode(answer[0] as number), body))
    },
    'a value lost': (answer, line, _all, chance) => line.write(withValue(answer, chance, -1)),
    'an empty value': (answer, line, _all, chance) => line.write(withValue(answer, chance, 0)),
    'other columns'(answer, line, _all, chance) {
      const copy = Buffer.from(answer)
      if ('DT'.includes(String.fromCharCode(copy[0] as number)) && copy.length >= 7)
        copy.writeUInt16BE((copy.readUInt16BE(5) + chance.of([1, 2, 65_535])) % 65_536, 5)
      line.write(copy)
    },
    'of another': (_answer, line, all, chance) => line.write(answerOfAnother(line, all, chance)),
    'out of turn': (answer, line) => line.later(answer),
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
    'bit by bit'(answer, line) {
      for (const byte of answer) line.write(Buffer.of(byte))
    },
  },
  meets: line =>
    Object.keys(postgresNonsense.kinds).filter(kind => isHot(line) || !onlyWhereItIsAsked.includes(kind)),
  strays,
  split() {
    let rest = Buffer.alloc(0)
    return chunk => {
      rest = Buffer.concat([rest, chunk])
      const answers: Buffer[] = []
      while (rest.length >= 5 && rest.length > rest.readUInt32BE(1)) {
        const end = rest.readUInt32BE(1) + 1
        answers.push(rest.subarray(0, end))
        rest = rest.subarray(end)
      }
      return answers
    }
  },
}

/** The settings of src/store/postgres/hot-reads.ts stand in what opens a connection. */
const isHot = ({ opening }: Line) => opening.includes('force_generic_plan')

/** A row in which one value has that length, and is not there. */
function withValue(answer: Buffer, chance: Chance, length: number): Buffer {
  if (answer[0] !== 68) return answer
  const values: Buffer[] = []
  for (let at = 7; at < answer.length; ) {
    const end = at + 4 + Math.max(0, answer.readInt32BE(at))
    values.push(answer.subarray(at, end))
    at = end
  }
  if (values.length === 0) return answer
  const gone = Buffer.alloc(4)
  gone.writeInt32BE(length)
  values[chance.between(0, values.length - 1)] = gone
  return message('D', Buffer.concat([answer.subarray(5, 7), ...values]))
}

function answerOfAnother(line: Line, all: readonly Line[], chance: Chance): Buffer {
  const others = all
    .filter(isHot)
    .flatMap(other => (other === line ? other.answers.slice(0, -1) : other.answers))
  return others.length === 0 ? chance.of(strays) : chance.of(others)
}
