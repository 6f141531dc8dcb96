/**
 * The security headers of every answer. Written here rather than by a plugin, since answers that never reach a hook
 * (what Node's parser refuses, a target that does not decode) carry them as well.
 */

/** A form that is answered by a redirect to an application needs that application's origin here. */
export function contentSecurityPolicy(formTo = "'self'"): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    `form-action ${formTo}`,
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}

export function securityHeaders(issuer: string): Readonly<Record<string, string>> {
  return {
    'content-security-policy': contentSecurityPolicy(),
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    // Under `no-referrer` a same-origin form would post `Origin: null`.
    'referrer-policy': 'same-origin',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    ...(issuer.startsWith('https:') && { 'strict-transport-security': 'max-age=31536000' }),
    // Nothing may be kept unless its route says so.
    'cache-control': 'no-store',
  }
}
