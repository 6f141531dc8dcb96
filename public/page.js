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

for (const list of document.querySelectorAll('[data-copy]')) {
  const pair = document.createElement('div')
  pair.className = 'pair'
  const add = (text, press) => {
    const button = document.createElement('button')
    Object.assign(button, { type: 'button', className: 'quiet', textContent: text })
    button.addEventListener('click', () => press(button))
    pair.append(button)
  }
  add('Copy', async button => {
    const text = Array.from(list.querySelectorAll('code'), one => one.textContent).join('\n')
    button.textContent = await navigator.clipboard.writeText(text).then(
      () => 'Copied',
      () => 'Not copied',
    )
  })
  add('Print', () => print())
  list.after(pair)
}

const linked = document.querySelectorAll('form[data-link]')
if (linked.length > 0) {
  const page = linked[0].dataset.look.replace(/\/address$/, '')
  const tokenIn = text => /(?:#|%23)token(?:=|%3d)([\w-]+)/i.exec(text)?.[1] ?? null
  const keep = () => {
    const given = tokenIn(location.hash)
    if (given !== null) sessionStorage.setItem(page, given)
    return given !== null
  }
  const bare = page + location.search
  if (keep()) history.replaceState(null, '', bare)
  else if (linked[0].dataset.link === 'spent') sessionStorage.removeItem(page)
  // Another link to this page is opened over it.
  addEventListener('hashchange', () => keep() && location.replace(bare))
  const token = sessionStorage.getItem(page)
  if (token === null)
    askForLink(pasted => {
      const given = tokenIn(pasted)
      if (given?.length !== 43) return
      sessionStorage.setItem(page, given)
      location.replace(bare)
    })
  else {
    for (const form of linked) form.append(hidden(token))
    look(token, () => {
      // Another one may have been opened over it meanwhile.
      if (sessionStorage.getItem(page) === token) sessionStorage.removeItem(page)
    })
  }
}

function hidden(token) {
  const input = document.createElement('input')
  Object.assign(input, { type: 'hidden', name: 'token', value: token })
  return input
}

// The field that a person without scripts has. A whole link that is put there is opened.
function askForLink(open) {
  // A refusal says it already.
  document.querySelector('[data-no-link]').hidden = document.querySelector('[role=alert]') !== null
  for (const form of linked) {
    const place = form.querySelector('noscript')
    place.insertAdjacentHTML('afterend', place.textContent)
    form.elements.token.addEventListener('input', ({ target }) => open(target.value))
  }
}

// For whom the link is, so that a person and their password manager see it.
async function look(token, forget) {
  const options = { method: 'POST', body: new URLSearchParams({ token }) }
  const answer = await fetch(linked[0].dataset.look, options).catch(() => undefined)
  if (answer?.status === 400) {
    forget()
    for (const form of linked) form.hidden = true
    document.querySelector('[data-spent]').hidden = false
  }
  if (!answer?.ok) return
  const found = await answer.json()
  for (const place of document.querySelectorAll('[data-show]')) {
    const text = found[place.dataset.show]
    if (place.tagName === 'INPUT') place.value = text
    else place.textContent = text
  }
  for (const place of document.querySelectorAll('[data-found]')) place.hidden = false
}
