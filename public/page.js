// What a hosted page can do better with scripts; without them it works as well. A mailed link's token stands in the
// fragment, which no server sees: it leaves the address bar at once, waits in this tab, and is sent by the form alone.

for (const form of document.forms) {
  form.addEventListener('submit', () => {
    // Not at once: a disabled button would not be sent.
    setTimeout(() => {
      for (const button of form.querySelectorAll('button')) button.disabled = true
    })
  })
}
// Back from another page: the buttons work again.
addEventListener('pageshow', () => {
  for (const button of document.querySelectorAll('form button')) button.disabled = false
})

for (const input of document.querySelectorAll('input[type=password]')) {
  const button = document.createElement('button')
  button.type = 'button'
  button.className = 'reveal'
  const label = () => {
    const shown = input.type === 'text'
    button.textContent = shown ? 'Hide' : 'Show'
    button.setAttribute('aria-label', `${button.textContent} ${input.labels[0].textContent.toLowerCase()}`)
  }
  button.addEventListener('click', () => {
    input.type = input.type === 'text' ? 'password' : 'text'
    label()
  })
  // Nobody keeps it as text.
  input.form.addEventListener('submit', () => {
    input.type = 'password'
  })
  const box = document.createElement('div')
  box.className = 'revealing'
  input.replaceWith(box)
  box.append(input, button)
  if (input.autofocus) input.focus()
  label()
}

const linked = document.querySelectorAll('form[data-link]')
if (linked.length > 0) {
  const purpose = linked[0].action.split('/').at(-2)
  const keep = () => {
    const given = new URLSearchParams(location.hash.slice(1)).get('token')
    if (given !== null) sessionStorage.setItem(purpose, given)
    return given !== null
  }
  const bare = location.pathname + location.search
  if (keep()) history.replaceState(null, '', bare)
  else if (linked[0].dataset.link === 'spent') sessionStorage.removeItem(purpose)
  // Another link to this page is opened over it.
  addEventListener('hashchange', () => keep() && location.replace(bare))
  fill(sessionStorage.getItem(purpose))
}

function fill(token) {
  for (const form of linked) {
    form.hidden = token === null
    const input = document.createElement('input')
    Object.assign(input, { type: 'hidden', name: 'token', value: token ?? '' })
    form.append(input)
  }
  // A refusal says it already.
  const refused = document.querySelector('[role=alert]') !== null
  document.querySelector('[data-no-link]').hidden = token !== null || refused
}
