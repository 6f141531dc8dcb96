/** A command as all of ours are: it says what it did in prose or JSON, and most of them do it on the domain. */
import { Command } from 'commander'
import type { Operator } from '../boot/operator.js'
import { withOperator } from './context.js'
import { asJson, type Form } from './output.js'

export class OperatorCommand extends Command {
  override createCommand(name?: string): OperatorCommand {
    return new OperatorCommand(name)
  }

  /** `work` gets the domain, the arguments as they were given, and the options. */
  acts<Given extends unknown[]>(work: (domain: Operator, ...given: Given) => Promise<void>): this {
    return this.option(...asJson).action((...given: unknown[]) =>
      withOperator(given.at(-2) as Form, domain => work(domain, ...(given as Given))),
    )
  }
}
