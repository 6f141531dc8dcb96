// The page behind a mailed link. Opening it consumes nothing: the token is in the fragment, which is sent only by a
// form below, and leaves the address bar at once.

const { ask, askDone, join, joinDone, finish, finishDone } = document.querySelector('main').dataset
const token = new URLSearchParams(location.hash.slice(1)).get('token')
history.replaceState(null, '', location.pathname)

// Asking for a link, and joining as who is signed in, are not on every page.
const askForm = document.querySelector('#ask')
const joinForm = document.querySelector('#join')
const finishForm = document.querySelector('#finish')
const alert = document.querySelector('[role=alert]')
const status = document.querySelector('[role=status]')

if (token !== null) show(joinForm, finishForm)
else if (askForm) show(askForm)
else alert.textContent = 'This link is not whole. Open it from the mail again.'
askForm?.addEventListener('submit', event => submit(event, askForm, ask, askDone))
joinForm?.addEventListener('submit', event => submit(event, joinForm, join, joinDone, { token }))
finishForm.addEventListener('submit', event => submit(event, finishForm, finish, finishDone, { token }))

function show(...forms) {
  for (const form of [askForm, joinForm, finishForm]) if (form) form.hidden = !forms.includes(form)
  forms.at(-1)?.querySelector('input')?.focus()
}

async function submit(event, form, route, done, more = {}) {
  event.preventDefault()
  const button = form.querySelector('button')
  const input = form.querySelector('input:last-of-type')
  const members = [...new FormData(form)].filter(([, value]) => value !== '')
  button.disabled = true
  alert.textContent = ''
  input?.removeAttribute('aria-invalid')
  const problem = await post(route, { ...more, ...Object.fromEntries(members) })
  button.disabled = false

  if (problem === undefined) {
    show()
    document.querySelector('h1').textContent = 'Done'
    status.textContent = done
    status.focus()
    return
  }
  alert.textContent = problem.words
  // A link that is used or too old: ask for another one right here.
  if (problem.code === 'link_invalid' && askForm) return show(askForm)
  input?.setAttribute('aria-invalid', 'true')
  input?.focus()
}

/** Answers what went wrong, or undefined. */
async function post(route, body) {
  try {
    const headers = { 'Content-Type': 'application/json', 'X-Mintmark': '1' }
    const answer = await fetch(route, { method: 'POST', headers, body: JSON.stringify(body) })
    if (answer.ok) return undefined
    const { code, title, detail } = await answer.json()
    return { code, words: detail ?? title }
  } catch {
    return { code: 'unreachable', words: 'The service cannot be reached. Try again shortly.' }
  }
}
