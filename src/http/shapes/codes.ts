/** Codes of second factors as requests carry them, and the answer that asks for one. */
import { Type } from 'typebox'
import type { Code } from '../../accounts/code-proof.js'
import { Problem } from '../middleware/problem.js'

/** Looked at in one place: anything but six digits is a wrong code. */
export const TotpCode = Type.String({
  maxLength: 64,
  description: 'The six digits that an authenticator app shows.',
  examples: ['123456'],
})
export const RecoveryCode = Type.String({
  maxLength: 64,
  description: 'A recovery code. Spaces, hyphens and case do not matter.',
})

/** Members of a body. It carries exactly one of them. */
export const codeMembers = {
  code: Type.Optional(TotpCode),
  recovery_code: Type.Optional(RecoveryCode),
}

export const SecondStepNeeded = Type.Object(
  {
    next: Type.Array(Type.Enum(['passkey', 'totp', 'recovery_code']), {
      description:
        'What completes the sign-in, the preferred first: codes at `POST /v1/session/second-factor`, a passkey at `POST /v1/session/second-factor/passkey`.',
    }),
  },
  {
    title: 'SecondStepNeeded',
    description:
      'The first step is done, and `Set-Cookie` contains the cookie of the pending sign-in. No session exists yet.',
  },
)

interface Codes {
  readonly code?: string
  readonly recovery_code?: string
}

/** Throws where a body carries none of these members, or more than one. */
export function codeIn({ code, recovery_code: recoveryCode }: Codes): Code {
  if (code !== undefined && recoveryCode === undefined) return { totp: code }
  if (recoveryCode !== undefined && code === undefined) return { recoveryCode }
  throw new Problem('invalid_request', { detail: 'Send exactly one of code and recovery_code.' })
}

export function proofIn({ password, ...codes }: Codes & { readonly password?: string }) {
  const { code, recovery_code } = codes
  if ([password, code, recovery_code].filter(member => member !== undefined).length !== 1)
    throw new Problem('invalid_request', { detail: 'Send exactly one of password, code and recovery_code.' })
  return password === undefined ? codeIn(codes) : { password }
}
