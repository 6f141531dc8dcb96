#!/usr/bin/env node
/** The operator's commands. They work on the database directly, beside a service that runs or none. */
import { readerIsGone } from './commands/output.js'
import { runProgram } from './commands/program.js'

// Anybody who reads may have seen enough, as `head` has. What the command does is done all the same.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') process.exit(1)
  readerIsGone()
})

void runProgram()
