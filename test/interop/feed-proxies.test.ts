/** The feed behind nginx, as it comes (it buffers) and as a cache: late it may be, wrong it is not. */
import { test } from 'tap'
import { codeOf, followedService, following } from '../support/followed.js'
import { nginx, skipWithoutNginx } from '../support/nginx.js'
import { eventually } from '../support/service.js'

test('behind a proxy that buffers, a sign-out arrives as without it', { skip: skipWithoutNginx }, async t => {
  const { service, key, mint } = await followedService(t)
  const url = `${await nginx(t, service.addresses.main)}/v1/feed`
  const verifier = following(t, service, { mode: 'required', url }, key)
  t.match((await verifier.ready()).revocation, { state: 'fresh' })
  const { browser, token } = await mint('ada@example.com')
  t.equal(codeOf(await verifier.verify(token)), 'ok')
  await browser.delete('/v1/session')
  await eventually(async () => (codeOf(await verifier.verify(token)) === 'stale_token' ? true : undefined))
  t.match((await verifier.ready()).revocation, { state: 'fresh' })
})

test('a cache that collapses equal requests for a second serves many', {
  skip: skipWithoutNginx,
}, async t => {
  const { service, mint } = await followedService(t, { MINTMARK_FEED_PUBLIC: 'true' })
  const url = `${await nginx(t, service.addresses.main, { cacheSeconds: 1 })}/v1/feed`
  const verifiers = [1, 2, 3].map(() => following(t, service, { mode: 'required', url }))
  for (const verifier of verifiers) t.match((await verifier.ready()).revocation, { state: 'fresh' })
  const { browser, token } = await mint('ada@example.com')
  await browser.delete('/v1/session')
  for (const verifier of verifiers)
    await eventually(
      async () => (codeOf(await verifier.verify(token)) === 'stale_token' ? true : undefined),
      15,
    )
})

test('a cache that answers with what is old makes a verifier stale, and never says yes for it', {
  skip: skipWithoutNginx,
}, async t => {
  const { service, mint } = await followedService(t, { MINTMARK_FEED_PUBLIC: 'true' })
  const url = `${await nginx(t, service.addresses.main, { cacheSeconds: 3600 })}/v1/feed`
  // Somebody asked long before: what they were told is all that there is.
  const early = following(t, service, { mode: 'required', url, maxAgeSeconds: 5 })
  await early.ready()
  const { token } = await mint('ada@example.com')
  const verdict = await eventually(async () => {
    const code = codeOf(await early.verify(token))
    return code === 'ok' ? undefined : code
  }, 90)
  t.equal(verdict, 'revocation_unknown')
  t.match(early.health().revocation, { state: 'stale' })
})
