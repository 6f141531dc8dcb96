/** What ends a request or a start without being a mistake: an outage, a start or a migration that must not go on. */

/**
 * The truth could not be asked, or its answer could not be trusted: a bug's opposite, nobody's mistake.
 * `outcome: 'unknown'` says that a change may have been made (503 "not confirmed"), `'nothing'` that none was.
 */
export class Outage extends Error {
  override readonly name = 'Outage'
  readonly outcome: 'nothing' | 'unknown'
  /** The other side undid all of it to let another go first: it may be tried again at once. */
  readonly retriable: boolean

  constructor(outcome: 'nothing' | 'unknown', reason: string, { retriable = false } = {}) {
    super(reason)
    this.outcome = outcome
    this.retriable = retriable
  }
}

/** A start that must not go on: each fault with its fix, all in one message. */
export class StartRefused extends Error {
  override readonly name = 'StartRefused'

  readonly faults: readonly string[]

  constructor(faults: readonly string[]) {
    super(['Mintmark does not start:', ...faults.map(fault => `  - ${fault}`)].join('\n'))
    this.faults = faults
  }
}

/** A migration that an operator can help: with the remedy. Safe to repeat. */
export class MigrationRefused extends Error {
  override readonly name = 'MigrationRefused'
}

/** A command that cannot be done: said on standard error, with exit code 1. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed'
}
