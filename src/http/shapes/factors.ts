/** Second factors as JSON shows them, to their user and to operators. */
import { Type } from 'typebox'
import { Instant } from './schemas.js'

const instantOrNull = Type.Union([Instant, Type.Null()])

export const Factor = Type.Object(
  {
    id: Type.String(),
    kind: Type.Enum(['totp', 'passkey']),
    first_step: Type.Boolean({
      description: 'Whether it signs the user in without a password: true for some passkeys.',
    }),
    name: Type.String(),
    created_at: Instant,
    last_used_at: instantOrNull,
    last_used_address: Type.Union([Type.String(), Type.Null()], {
      description: 'The IP address of the last use.',
    }),
  },
  { title: 'Factor', description: 'A second factor. `totp` is an authenticator app.' },
)

export const FactorList = Type.Object(
  {
    items: Type.Array(Factor),
    recovery_codes: Type.Integer({ description: 'The number of unused recovery codes.' }),
    codes_locked: Type.Boolean({
      description: 'Whether too many wrong codes have closed the authenticator app for sign-in and step-up.',
    }),
    reset_due_at: Type.Union([Instant, Type.Null()], {
      description: 'When an operator’s reset removes all factors. Null if none was requested.',
    }),
  },
  { title: 'Factors', description: 'The second factors of an account.' },
)
