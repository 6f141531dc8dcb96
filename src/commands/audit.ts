/** `mintmark audit …`: reading what was written down for good. */
import type { RecordedEvent } from '../audit/events.js'
import { describeEvent } from '../audit/events.js'
import { limited, tenantId } from './arguments.js'
import type { OperatorCommand } from './command.js'
import { withOperator } from './context.js'
import { asJson, type ListForm, type Listing, sayList } from './output.js'
import { cell, time } from './table.js'

export function auditCommands(program: OperatorCommand): void {
  program
    .command('audit')
    .description('read the audit log')
    .command('list')
    .description('list audit events, newest first')
    .option('--tenant <id>', 'only events of this tenant, which may have been deleted since')
    .option(...limited)
    .option(...asJson)
    .action(async ({ tenant, ...form }: ListForm & { tenant?: string }) => {
      const only = tenant === undefined ? undefined : tenantId(tenant)
      await withOperator(form, ({ audit }) => sayList(form, page => audit.list(page, only), listing))
    })
}

const listing: Listing<RecordedEvent> = {
  heads: ['TIME', 'ACTION', 'OUTCOME', 'REASON', 'ACTOR', 'SUBJECT'],
  row: ({ at, action, outcome, reason, actor, serviceKey, subject }) => [
    time(at),
    action,
    outcome,
    cell(reason),
    cell(actor ?? serviceKey),
    cell(subject),
  ],
  document: describeEvent,
  none: 'No audit events.',
}
