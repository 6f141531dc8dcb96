/** Names that others rely on stay as they are: those in names.json are frozen. */
// A new name is added to the list with `TAP_SNAPSHOT=1 node test/run.mjs test/frozen/frozen.test.ts`.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { root } from '../support/project.mjs'
import { frozenNames } from './names.js'

const list = join(root, 'test/frozen/names.json')
const kinds = 20

test('a name that others rely on is neither changed nor removed', async t => {
  const names = await frozenNames()
  if (process.env.TAP_SNAPSHOT === '1') writeFileSync(list, `${JSON.stringify(names, null, 2)}\n`)
  const frozen: Record<string, string[]> = JSON.parse(readFileSync(list, 'utf8'))
  t.ok(Object.keys(frozen).length >= kinds, 'each kind is there')
  for (const kind of new Set([...Object.keys(frozen), ...Object.keys(names)])) {
    const [before, now] = [frozen[kind] ?? [], names[kind] ?? []]
    t.ok(before.length > 0, `${kind}: the list has them`)
    t.same(
      before.filter(name => !now.includes(name)),
      [],
      `${kind}: nothing that is frozen is missing`,
    )
    t.same(
      now.filter(name => !before.includes(name)),
      [],
      `${kind}: what is new is in the list`,
    )
  }
})
