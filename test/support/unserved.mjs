/** The parts of an app whose routes are listed and not served: nothing behind them is needed. */
// @ts-check
import { pino } from 'pino'

/** Fits every part; nothing calls them. @type {any} */
export const behind = new Proxy({}, { get: () => () => undefined })

/**
 * @param {string} issuer
 * @param {import('../../src/http/server.js').AppParts['beforeRoutes'] & {}} beforeRoutes
 * @returns {import('../../src/http/server.js').AppParts}
 */
export function unservedParts(issuer, beforeRoutes) {
  return {
    issuer,
    product: 'Mintmark',
    theme: { css: undefined, logo: undefined },
    passwordMinLength: 15,
    log: pino({ level: 'silent' }),
    trustedProxies: [],
    refused: behind,
    metrics: behind,
    settled: behind,
    registry: behind,
    ring: behind,
    sessions: behind,
    ownSessions: behind,
    throttle: behind,
    signIn: behind,
    byLink: behind,
    changePassword: behind,
    stepUp: behind,
    secondStep: behind,
    factorManagement: behind,
    passkeySignIn: behind,
    passkeyRegistration: behind,
    exchange: behind,
    admin: behind,
    callers: behind,
    serviceKeys: behind,
    introspection: behind,
    feed: behind,
    federation: behind,
    signInMethods: behind,
    providerLogouts: behind,
    health: undefined,
    beforeRoutes,
  }
}
