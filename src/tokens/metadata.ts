/** The metadata documents by which an off-the-shelf verifier finds the keys from the issuer alone. */

/**
 * RFC 8414, section 2: only what exists here. There is no authorization endpoint, so no response type either. Who asks
 * the introspection endpoint presents a service key: as OAuth's clients do, which is first because some libraries look
 * no further, or as a bearer token, in the words of that section an access token type.
 */
export function authorizationServerMetadata(issuer: string) {
  return {
    issuer,
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    response_types_supported: [] as string[],
    introspection_endpoint: `${issuer}/v1/introspect`,
    introspection_endpoint_auth_methods_supported: ['client_secret_basic', 'Bearer'],
  }
}

/** OpenID Connect Discovery 1.0, section 3, for libraries that look nowhere else. */
export function openidConfiguration(issuer: string) {
  return {
    ...authorizationServerMetadata(issuer),
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
  }
}
