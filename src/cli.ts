#!/usr/bin/env node
/** The operator's commands. They work on the database directly, beside a service that runs or none. */
import { saying } from './commands/context.js'
import { createProgram } from './commands/program.js'

// Whoever reads may have seen enough, as `head` has.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))

createProgram()
  .parseAsync()
  .catch((error: unknown) => {
    process.stderr.write(`${saying(error)}\n`)
    process.exitCode = 1
  })
