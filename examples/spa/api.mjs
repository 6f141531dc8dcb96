// The downstream API: it knows the issuer's address and its own audience, and never sees a cookie.
import { createServer } from 'node:http'
import { createRemoteJWKSet, jwtVerify } from 'jose'

export function createApi({ issuer, audience, appOrigin }) {
  const keys = createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`))

  // The one place to change for another verifier.
  async function verify(token) {
    const { payload } = await jwtVerify(token, keys, {
      issuer,
      audience,
      typ: 'at+jwt',
      algorithms: ['ES256'],
      clockTolerance: 30,
      requiredClaims: ['sub', 'exp', 'iat', 'client_id', 'sid'],
    })
    return payload
  }

  return createServer(async (request, response) => {
    response.setHeader('access-control-allow-origin', appOrigin)
    response.setHeader('access-control-allow-headers', 'authorization')
    // So that the page can tell a token that is too old from another refusal.
    response.setHeader('access-control-expose-headers', 'www-authenticate')
    response.setHeader('vary', 'origin')
    if (request.method === 'OPTIONS') return response.writeHead(204).end()

    const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1]
    if (token === undefined) return answer(response, 401, { error: 'no token' }, 'Bearer')
    try {
      const { sub, tenant = null, roles = [], permissions = [], iat, exp } = await verify(token)
      const minted = new Date(iat * 1000).toISOString()
      return answer(response, 200, {
        hello: sub,
        tenant,
        roles,
        permissions,
        minted,
        lives: `${exp - iat} s`,
      })
    } catch (error) {
      // Without the keys nothing can be said about the token.
      if (!error.code?.startsWith('ERR_J') || error.code === 'ERR_JWKS_TIMEOUT')
        return answer(response, 503, { error: 'the keys cannot be fetched' })
      return answer(response, 401, { error: error.message }, 'Bearer error="invalid_token"')
    }
  })
}

function answer(response, status, body, challenge) {
  if (challenge !== undefined) response.setHeader('www-authenticate', challenge)
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
