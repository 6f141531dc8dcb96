// The whole of what an application does about tokens: the lines up to the first blank one.
import { createClient } from '@mintmark/client'
import { api, issuer } from '/config.js'

const mintmark = createClient({ issuer, audience: 'demo-api' })
mintmark.onChange(() => location.reload())
const me = await mintmark.session()

const show = (id, text) => {
  document.getElementById(id).textContent = text
}
const onClick = (id, work) => document.getElementById(id).addEventListener('click', work)

document.getElementById(me ? 'signed-in' : 'signed-out').hidden = false
onClick('sign-in', () => mintmark.signIn())
onClick('sign-out', () => mintmark.signOut())
onClick('ask', ask)
onClick('listen', listen)
document.getElementById('account').href = `${issuer}/`

if (me) {
  show('who', me.user.name ?? me.user.email)
  show('set-role', `npx mintmark members set <tenant> ${me.user.email} --role member`)
}

async function ask() {
  show('answer', '…')
  try {
    const answer = await mintmark.fetch(`${api}/hello`)
    show('answer', JSON.stringify(await answer.json(), null, 2))
  } catch (error) {
    // An outage: whoever was signed in still is.
    show('answer', error.code ?? String(error))
  }
}

/** The API closes the stream as soon as the session has ended, wherever it was ended. */
async function listen() {
  try {
    const { body } = await mintmark.fetch(`${api}/events`)
    for (const reader = body.pipeThrough(new TextDecoderStream()).getReader(); ; ) {
      const { value, done } = await reader.read()
      if (done) return
      show('events', value.trim())
    }
  } catch (error) {
    show('events', error.code ?? String(error))
  }
}

// What ended elsewhere while nobody looked is seen on coming back.
document.addEventListener('visibilitychange', () => {
  if (me && document.visibilityState === 'visible') mintmark.session().catch(() => {})
})
