/** Runs commands of the build in a folder, one by one, as it is told: a process for each would take too long. */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [, , tree = '.'] = process.argv
const load = name => import(pathToFileURL(join(tree, 'dist', 'commands', name)).href)
const { createProgram } = await load('program.js')
const { saying } = await load('context.js')

process.on('message', async words => {
  const failure = await createProgram()
    .parseAsync(words, { from: 'user' })
    .then(
      () => undefined,
      error => saying(error),
    )
  process.send({ failure })
})
process.send('ready')
