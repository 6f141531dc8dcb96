/** Admin: the receipt of a revocation, by the position that the answer to it had as its header. */
import { Type } from 'typebox'
import { may } from '../../core/authority.js'
import { describeReceipt, type Receipts } from '../../feed/receipts.js'
import type { Needs } from '../middleware/admin-context.js'
import { Problem } from '../middleware/problem.js'
import type { App } from '../shapes/app.js'
import { Instant } from '../shapes/schemas.js'
import { operation } from './shapes.js'

const ReceiptObject = Type.Object(
  {
    position: Type.String({ description: 'As asked for.' }),
    confirmed: Type.Array(Type.String(), {
      description:
        'The verifiers that have applied the revocation, as `<name of the service key>/<id of the process>`.',
    }),
    fenced: Type.Array(
      Type.Object({ verifier: Type.String(), refuses_since: Instant }, { title: 'FencedVerifier' }),
      { description: 'The verifiers in `required` that are cut off: they reject every token.' },
    ),
    waiting: Type.Array(Type.String(), {
      description: 'The verifiers that may still accept tokens that were revoked.',
    }),
    unknown_until: Type.Integer({
      format: 'int64',
      description:
        'A NumericDate: by then every token that was revoked has expired, also for verifiers that are not listed.',
    }),
    effective: Type.Union([Type.Literal('everywhere_known'), Type.Literal('partly')], {
      description: '`everywhere_known` if no listed verifier is waiting.',
    }),
  },
  { title: 'RevocationReceipt', description: 'Who knows of a revocation.' },
)
/** Anybody who ends sessions everywhere, or audits. */
const reads: Needs = caller => may(caller, 'sessions:write') || may(caller, 'audit:read')
const form = /^(0|[1-9][0-9]{0,14})\.(0|[1-9][0-9]{0,14})$/

export function revocationRoutes(app: App, receipts: Pick<Receipts, 'of'>): void {
  app.get(
    '/v1/admin/revocations/:position',
    operation(reads, 'readRevocation', {
      summary: 'List which verifiers know of a revocation',
      params: Type.Object({
        position: Type.String({
          pattern: form.source,
          description: 'The `Mintmark-Revocation` of the answer, `<generation>.<position>`.',
        }),
      }),
      answers: { 200: ReceiptObject },
      refuses: ['not_found'],
    }),
    async ({ params }) => {
      const [generation = 0, position = 0] = params.position.split('.').map(Number)
      const receipt = await receipts.of({ generation, position })
      if (receipt === 'unknown') throw new Problem('not_found')
      return describeReceipt(receipt)
    },
  )
}
