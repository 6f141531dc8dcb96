/** Each lie of the hostile provider is the lie that it is named for: nothing else would be measured with it. */
import { importJWK, jwtVerify } from 'jose'
import { test } from 'tap'
import {
  providerKey,
  unsigned,
  withAlteredPayload,
  withAnotherKey,
  withBrokenSignature,
  withPublicKey,
  withRs512,
  withSecret,
} from '../support/hostile-keys.js'
import {
  alsoText,
  cut,
  drip,
  innerServer,
  keysWithoutKid,
  late,
  manyKeys,
  nestedText,
  padded,
  pollutingText,
  redirect,
  symmetricKeys,
} from '../support/hostile-lies.js'
import { credentials, hostile, read } from './hostile.js'

test('the ways to sign what nobody should accept are what they say', async t => {
  const { provider } = await hostile(t, { alg: 'RS256' })
  const jwk = provider.keys[0]?.jwk
  const key = await importJWK({ ...jwk, alg: 'RS512' }, 'RS512')
  const { payload } = await jwtVerify(await provider.logoutToken({}, {}, withRs512), key)
  t.equal(payload.sub, provider.person.sub)
  const secret = Buffer.from(credentials.clientSecret)
  t.ok(await jwtVerify(await provider.logoutToken({}, {}, withSecret), secret))
  t.ok(await jwtVerify(await provider.logoutToken({}, {}, withPublicKey), Buffer.from(JSON.stringify(jwk))))
  const [header, , signature] = (await provider.logoutToken({}, {}, unsigned('NonE'))).split('.')
  t.match(JSON.parse(Buffer.from(header ?? '', 'base64url').toString()), { alg: 'NonE', typ: 'logout+jwt' })
  t.equal(signature, '')
  const published = await importJWK(jwk ?? {}, 'RS256')
  t.ok(await jwtVerify(await provider.logoutToken(), published))
  const altered = withAlteredPayload(claims => ({ ...claims, sub: 'x' }))
  for (const sign of [withAnotherKey, withBrokenSignature, altered])
    await t.rejects(jwtVerify(await provider.logoutToken({}, {}, sign), published), /signature verification/)
})

test('the ways to answer what nobody should read are what they say', async t => {
  const { provider } = await hostile(t)
  const at = provider.at('jwks')
  const keys = async () => (await read(at)).keys as Record<string, unknown>[]
  const own = (await keys())[0]
  provider.lies = { jwks: manyKeys() }
  const many = await keys()
  t.equal(many.length, 10_001)
  t.same(many.at(-1), own)
  provider.lies = { jwks: symmetricKeys('x') }
  t.match((await keys())[0], { kty: 'oct', k: 'eA', kid: own?.kid })
  provider.lies = { jwks: keysWithoutKid((await providerKey()).jwk) }
  t.same(
    (await keys()).map(key => 'kid' in key),
    [false, false],
  )
  provider.lies = { jwks: padded() }
  t.ok(Number((await fetch(at)).headers.get('content-length')) > 5 * 1024 * 1024)
  provider.lies = { jwks: alsoText(`${pollutingText},"deep":${nestedText()}`) }
  const polluting = await read(at)
  t.ok(Object.hasOwn(polluting, '__proto__') && Object.hasOwn(polluting, 'constructor'))
  t.ok(Array.isArray(polluting.keys), 'and the honest members beside them')
  provider.lies = { jwks: cut }
  await t.rejects(fetch(at).then(answer => answer.text()))
  provider.lies = { jwks: drip }
  const slow = await fetch(at)
  const first = await slow.body?.getReader().read()
  t.equal(first?.value?.length, 1)
  provider.lies = { jwks: late(20) }
  t.same((await keys())[0], own)
  const inner = await innerServer()
  t.teardown(() => inner.close())
  provider.lies = { jwks: redirect(`${inner.url}/secret`) }
  await fetch(at)
  t.same(inner.hits, ['GET /secret'])
})
