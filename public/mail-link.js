// The page behind a mailed link. Opening it consumes nothing: the token is in the fragment, which is sent only by the
// form below, and leaves the address bar at once.

const { ask, askDone, finish, finishDone } = document.querySelector('main').dataset
const token = new URLSearchParams(location.hash.slice(1)).get('token')
history.replaceState(null, '', location.pathname)

const askForm = document.querySelector('#ask')
const finishForm = document.querySelector('#finish')
const alert = document.querySelector('[role=alert]')
const status = document.querySelector('[role=status]')

const form = token === null ? askForm : finishForm
form.hidden = false
form.querySelector('input').focus()

askForm.addEventListener('submit', event => submit(event, askForm, ask, askDone))
finishForm.addEventListener('submit', event => submit(event, finishForm, finish, finishDone, { token }))

async function submit(event, form, route, done, more = {}) {
  event.preventDefault()
  const button = form.querySelector('button')
  button.disabled = true
  alert.textContent = ''
  const members = [...new FormData(form)].filter(([, value]) => value !== '')
  const problem = await post(route, { ...more, ...Object.fromEntries(members) })
  button.disabled = false
  if (problem === undefined) {
    form.hidden = true
    status.textContent = done
  } else {
    alert.textContent = problem
  }
}

/** Answers what went wrong in words, or undefined. */
async function post(route, body) {
  try {
    const headers = { 'Content-Type': 'application/json', 'X-Mintmark': '1' }
    const answer = await fetch(route, { method: 'POST', headers, body: JSON.stringify(body) })
    if (answer.ok) return undefined
    const { title, detail } = await answer.json()
    return detail ?? title
  } catch {
    return 'The service cannot be reached. Try again shortly.'
  }
}
