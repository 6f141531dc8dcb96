/** Signing in through a provider that is honest: who gets in, as whom, and what it is worth. */
import { randomBytes } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { test } from 'tap'
import { secretSealedAs } from '../../src/federation/provider.js'
import type { SealedSecret } from '../../src/federation/store.js'
import { loadKeyEncryptionKeys } from '../../src/sealing/key-encryption-keys.js'
import { goodPassword, issuer } from '../support/service.js'
import { buttonOf, callbackFrom, codeOf, federationWorld, operator } from './world.js'

test('a person signs in through a provider, and from there everything is as with a password', async t => {
  const world = await federationWorld(t)
  const ada = world.visitor()
  const address = new URL(await ada.go())
  const asked = Object.fromEntries(address.searchParams)
  t.match(asked, {
    response_type: 'code',
    client_id: 'mintmark',
    redirect_uri: 'http://localhost:4000/v1/federation/acme/callback',
    scope: 'openid email profile',
    code_challenge_method: 'S256',
    code_challenge: /^[\w-]{43}$/,
    state: /^[\w-]{43}$/,
    nonce: /^[\w-]{43}$/,
  })
  const answer = await ada.comeBack(address.href)
  t.equal(answer.statusCode, 303)
  t.equal(answer.headers.location, '/')
  const me = (await ada.scripts.get('/v1/session')).json()
  t.match(me.user, { email: 'ada@example.com', name: 'Ada Lovelace' })
  t.same(me.session.amr, ['fed'], 'what the provider says of its proof does not count')
  t.equal(me.session.auth_time, null)
  t.equal((await ada.scripts.post('/v1/token', { client_id: 'mintmark' })).statusCode, 200)
  const again = world.visitor()
  await again.signIn()
  t.equal((await again.scripts.get('/v1/session')).json().user.id, me.user.id, 'the same person again')
  t.equal((await again.scripts.delete('/v1/session')).statusCode, 204)
  t.equal((await again.scripts.get('/v1/session')).statusCode, 401)
})

test('an identity is issuer and subject: a changed address is the same person, another subject is not', async t => {
  const { provider, visitor } = await federationWorld(t)
  const ada = visitor()
  await ada.signIn()
  const { user } = (await ada.scripts.get('/v1/session')).json()
  provider.person = { ...provider.person, email: 'countess@example.com' }
  const later = visitor()
  await later.signIn()
  t.equal((await later.scripts.get('/v1/session')).json().user.id, user.id)
  provider.person = { ...provider.person, sub: 'another' }
  const other = visitor()
  await other.signIn()
  t.not((await other.scripts.get('/v1/session')).json().user.id, user.id)
})

test('an address that belongs to an account links nothing by itself', async t => {
  const world = await federationWorld(t)
  await world.service.signUp('ada@example.com')
  const ada = world.visitor()
  const refused = await ada.signIn()
  t.equal(refused.statusCode, 409)
  t.equal(codeOf(refused), 'account_exists')
  t.equal(ada.cookies.get('__Host-session'), undefined)
})

test('the person proves the account, links, and signs in either way', async t => {
  const world = await federationWorld(t)
  await world.service.signUp('ada@example.com')
  const ada = world.visitor()
  t.equal(
    (await ada.submit('/sign-in', { email: 'ada@example.com', password: goodPassword })).statusCode,
    303,
  )
  const on = await ada.submit('/sign-in-methods/link', { provider: 'acme' })
  t.equal(on.statusCode, 200)
  const linked = await ada.comeBack(buttonOf(on))
  t.equal(linked.headers.location, '/sign-in-methods?done=linked')
  t.match((await world.service.mailTo('ada@example.com')).subject, /was linked/)
  const { identities, password } = (await ada.scripts.get('/v1/identities')).json()
  t.match(identities, [{ provider: 'acme', provider_name: 'Acme', label: 'ada@example.com' }])
  t.equal(password, true)
  const through = world.visitor()
  t.equal((await through.signIn()).statusCode, 303)
})

test('a client secret that was sealed again under a new key opens at once, and stays closed without that key', async t => {
  const { service, store, visitor } = await federationWorld(t)
  const file = `${service.folder}/keys/second.kek`
  const key = `${randomBytes(32).toString('base64')}\n`
  await writeFile(file, key, { mode: 0o600 })
  const { keys } = await loadKeyEncryptionKeys(`${service.folder}/keys`)
  await rm(file)
  const again = (id: string, { kekId, sealed }: SealedSecret) =>
    keys.seal(keys.open(kekId, sealed, secretSealedAs(issuer, id)), secretSealedAs(issuer, id))
  t.same(await store.reseal(again, operator), ['acme'])
  t.equal(codeOf(await visitor().open('/v1/federation/acme')), 'provider_unavailable')
  await writeFile(file, key, { mode: 0o600 })
  t.equal((await visitor().signIn()).statusCode, 303)
})

test('the query of a callback is all behind the first question mark, whatever the provider puts in', async t => {
  const { visitor } = await federationWorld(t)
  const ada = visitor()
  const callback = await callbackFrom(await ada.go())
  t.equal((await ada.open(callback.replace('?', '?session_state=a?b&'))).statusCode, 303)
})
