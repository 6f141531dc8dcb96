// Readers of the feed in a process of their own: each waits for news by long polls, and says when it had them.
import { Agent, request } from 'node:http'

const { url, key, count } = JSON.parse(process.env.READERS)
let agent = new Agent({ keepAlive: true, maxSockets: count + 10 })
/** Of this process's clock, which all processes of a machine share: milliseconds since 1970, with a fraction. */
const now = () => performance.timeOrigin + performance.now()
const number = cursor => Number(cursor.split('.')[0] || 0)
let run = 0
let heard = []
let loaded = 0

function ask(after, wait) {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${key}` }
    const asked = request(
      `${url}/v1/feed?after=${after}&wait=${wait}`,
      { agent, headers, timeout: 8000 },
      answer => {
        let text = ''
        answer.setEncoding('utf8').on('data', part => {
          text += part
        })
        answer.on('end', () =>
          answer.statusCode === 200 ? resolve(text) : reject(new Error(`${answer.statusCode}`)),
        )
        answer.on('error', reject)
      },
    )
    asked.on('timeout', () => asked.destroy(new Error('timeout'))).on('error', reject)
    asked.end()
  })
}

async function follow(mine) {
  let cursor = ''
  while (run === mine) {
    const text = await ask(cursor, cursor === '' ? 0 : 3).catch(() => undefined)
    if (run !== mine) return
    if (text === undefined) {
      await new Promise(resolve => setTimeout(resolve, 100 + 400 * Math.random()))
      continue
    }
    const at = now()
    const last = text.trimEnd().split('\n').at(-1)
    const { to } = JSON.parse(Buffer.from(last.split('.')[1], 'base64url').toString())
    if (cursor === '') loaded++
    else if (number(to) > number(cursor)) heard.push([number(to), at])
    cursor = to
  }
}

/** All of them at once, from the beginning. */
function begin() {
  run++
  loaded = 0
  agent.destroy()
  agent = new Agent({ keepAlive: true, maxSockets: count + 10 })
  for (let reader = 0; reader < count; reader++) void follow(run)
}

process.on('message', what => {
  if (what === 'begin') begin()
  if (what === 'heard') {
    process.send({ heard, loaded })
    heard = []
  }
})
process.on('disconnect', () => process.exit())
process.send('ready')
