/** Every verb that takes something away, and of what is left why it takes nothing: a new route or command stands in one. */
import { verbsOfAdministrators } from './admin.js'
import { verbsOfOperators } from './commands.js'
import { verbsOfFactors } from './factors.js'
import { verbsOfPages } from './pages.js'
import { verbsOfPeople } from './sessions.js'
import type { Verb } from './verb.js'

export const verbs: readonly Verb[] = [
  ...verbsOfPeople,
  ...verbsOfPages,
  ...verbsOfAdministrators,
  ...verbsOfOperators,
  ...verbsOfFactors,
]

/** Routes that may change something, and take nothing from anybody; those that create something need no line. */
export const givingRoutes: Readonly<Record<string, string>> = {
  'POST /v1/token': 'it mints',
  'POST /v1/introspect': 'it reads',
  'POST /v1/feed/fork': 'it reads, and may raise an alarm',
  'POST /v1/sign-up': 'it sends a mail',
  'POST /v1/password/forgot': 'it sends a mail',
  'PUT /v1/session/tenant': 'the tenant of before is as open as it was',
  'POST /v1/admin/providers/:provider/check': 'it reads',
  'POST /v1/admin/users/:user/link': 'it sends a mail',
  'POST /v1/admin/users/:user/factors/reset': 'it is carried out later, by a sign-in',
  'POST /v1/admin/users/:user/factors/unlock': 'it gives back',
  'PATCH /v1/factors/:factor': 'it renames',
  'POST /v1/passkey/sign-in/options': 'it makes a challenge',
  'POST /v1/passkeys/options': 'it makes a challenge',
  'POST /v1/session/second-factor/passkey/options': 'it makes a challenge',
  'POST /v1/session/step-up/passkey/options': 'it makes a challenge',
  'POST /v1/admin/signing-keys/rotate': 'the key of before verifies on',
  'POST /v1/admin/signing-keys/reseal': 'the keys stay',
  'POST /sign-up': 'it sends a mail',
  'POST /sign-up/verify': 'it makes an account',
  'POST /password/forgot': 'it sends a mail',
  'POST /sign-up/verify/address': 'it reads',
  'POST /password/reset/address': 'it reads',
  'POST /invitations/accept/address': 'it reads',
  'POST /tenant': 'the tenant of before is as open as it was',
  'POST /sign-in-methods/link': 'it leads to the provider',
  'POST /second-factors/app': 'it begins a setup, which is no factor yet',
  'POST /second-factors/rename': 'it renames',
  'POST /step-up/provider': 'it leads to the provider',
  'POST /v1/federation/:provider/callback': 'it leads on to the callback by GET',
}

/** Commands that take nothing from anybody. */
export const givingCommands: Readonly<Record<string, string>> = {
  migrate: 'it makes tables',
  recover: 'a fail-over ends with it: what it ends was ended by the fail-over',
  'users list': 'it reads',
  'users show': 'it reads',
  'users factors': 'it reads',
  'users unlock-factors': 'it gives back',
  'users create': 'it creates',
  'users enable': 'it gives back',
  'users send-link': 'it mails',
  'sessions list': 'it reads',
  'sessions migrate': 'it copies: what has ended in one store is over in the other',
  'feed status': 'it reads',
  'feed verifiers list': 'it reads',
  'feed verifiers forget': 'a verifier that asks again is there again',
  'feed tail': 'it reads',
  relay: 'it passes on what the service signed',
  'tenants list': 'it reads',
  'tenants create': 'it creates',
  'tenants show': 'it reads',
  'tenants rename': 'it renames',
  'tenants activate': 'it gives back',
  'roles create': 'it creates',
  'members list': 'it reads',
  'invitations list': 'it reads',
  'applications list': 'it reads',
  'applications show': 'it reads',
  'applications create': 'it creates',
  'applications enable': 'it gives back',
  'providers list': 'it reads',
  'providers show': 'it reads',
  'providers add': 'it creates',
  'providers check': 'it reads',
  'providers enable': 'it gives back',
  'service-keys list': 'it reads',
  'service-keys show': 'it reads',
  'service-keys create': 'it creates',
  'keys list': 'it reads',
  'keys reseal': 'the keys stay',
  'keys export': 'it reads',
  'keys doctor': 'it reads',
  'audit list': 'it reads',
}
