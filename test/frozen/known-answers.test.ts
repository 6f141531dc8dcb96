/** What an earlier release sealed or derived, this one opens and derives too: the texts in it look like prose, and are not. */
import { test } from 'tap'
import { BrowserSecret } from '../../src/federation/flow.js'
import { secretSealedAs } from '../../src/federation/provider.js'
import { sealedAs } from '../../src/keys/signing-key.js'
import { isOurs, makeMac } from '../../src/sealing/mac.js'
import { open } from '../../src/sealing/seal.js'

const kek = Buffer.alloc(32, 7)
const issuer = 'https://id.example.com'
const opened = (sealed: string, boundTo: string) =>
  open(kek, Buffer.from(sealed, 'base64url'), boundTo).toString()

test('a signing key that was sealed before opens', async t => {
  const sealed = 'PhZTiRBwIl-2D-UG__8yG00qPV-UQi4okhKYpV4SN9UlI_vMuAcJzIQ'
  t.equal(opened(sealed, sealedAs(issuer, 'kid-1')), 'a private key')
})

test('the client secret of a provider that was sealed before opens', async t => {
  const sealed = 'I9SWPwZYPuq5yA3qY9Ro8gYAHuoDHfhufRtOaROE371_htLKfOfQ_x0AMA'
  t.equal(opened(sealed, secretSealedAs(issuer, 'acme')), 'a client secret')
})

test('a MAC over a row in Redis that was made before is accepted', async t => {
  const purpose = 'mintmark session rows v1'
  const mac = 'jhXUE5V_IpoIyjV4rqWJEnRm0EWsvK7ef--QRhBlCP8.first'
  t.ok(isOurs(id => (id === 'first' ? kek : undefined), purpose, 'row id value', mac))
  t.equal(makeMac(kek, 'first', purpose, 'row id value'), mac)
})

test('a sign-in that is under way at a provider goes on', async t => {
  t.same(new BrowserSecret(Buffer.alloc(32, 9)).binding('state'), {
    state: 'state',
    nonce: 'vLdqcIPBYFY8t02LwUxDFn2N1sgtt3MFv4UqDEZZvo4',
    codeVerifier: 'Ty8KOU42F4L5G_02zb87qXRFERb84J3qBJTrnTGmRjc',
  })
})

test('a secret that was stored before is known again', async t => {
  const stored = 'jAzBegSULMT44P4LMCYG0xCIYMEmQouizutfntQcKwU'
  t.equal(new BrowserSecret(Buffer.alloc(32, 9)).hash().toString('base64url'), stored)
})
