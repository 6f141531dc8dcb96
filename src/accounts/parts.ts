/** What the use cases of accounts are put together from. Each takes what it needs. */
import type { RecordRefusal } from '../audit/events.js'
import type { InBackground } from '../core/background.js'
import type { Mailer } from '../core/mail.js'
import type { ConnectionParts } from '../federation/connection.js'
import type { FederationStore } from '../federation/store.js'
import type { Sessions } from '../sessions/sessions.js'
import type { CreateSession } from './create-session.js'
import type { FactorResets } from './factor-resets.js'
import type { FactorStore } from './factors.js'
import type { IdentityStore } from './identities.js'
import type { PasskeyStore } from './passkeys.js'
import type { PasswordHasher } from './password-hash.js'
import type { PasswordPolicy } from './password-policy.js'
import type { PendingSignIns } from './pending-sign-ins.js'
import type { RedemptionStore } from './redemptions.js'
import type { AccountStore } from './store.js'
import type { Throttle } from './throttle.js'
import type { WebAuthn } from './webauthn.js'

export interface AccountParts extends ConnectionParts {
  readonly store: AccountStore
  readonly identities: IdentityStore
  readonly invitations: RedemptionStore
  readonly federation: FederationStore
  readonly factors: FactorStore
  readonly factorResets: FactorResets
  readonly pendingSignIns: PendingSignIns
  readonly passkeys: PasskeyStore
  readonly webAuthn: WebAuthn
  readonly hasher: PasswordHasher
  readonly policy: PasswordPolicy
  readonly throttle: Throttle
  readonly sessions: Sessions
  readonly createSession: CreateSession
  readonly mailer: Mailer
  readonly inBackground: InBackground
  readonly refused: RecordRefusal
}

export type Parts<Name extends keyof AccountParts> = Pick<AccountParts, Name>
