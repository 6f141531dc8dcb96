// Verifies an access token knowing only the issuer's address and the audience that it is meant for.
//
//   echo "$token" | node examples/verify-token.mjs http://localhost:4000 demo-api
import { text } from 'node:stream/consumers'
import { createRemoteJWKSet, jwtVerify } from 'jose'

const [issuer, audience] = process.argv.slice(2)
const token = (await text(process.stdin)).trim()

const answer = await fetch(`${issuer}/.well-known/openid-configuration`)
const metadata = await answer.json()
if (metadata.issuer !== issuer) throw new Error(`${issuer} calls itself ${metadata.issuer}`)

// Made once in a real service: it keeps the keys, and fetches them again when they are old or a new one appears.
const keys = createRemoteJWKSet(new URL(metadata.jwks_uri))

const { payload } = await jwtVerify(token, keys, {
  issuer,
  audience,
  typ: 'at+jwt',
  algorithms: ['ES256'],
  clockTolerance: 30,
  requiredClaims: ['sub', 'exp', 'iat', 'client_id', 'sid'],
})
console.log(payload)
