/** An orderly end: every part is closed, the last opened first, whatever another's close comes to. */
import { test } from 'tap'
import { closeAll } from '../../src/boot/closing.js'

test('a part that does not close keeps no other open', async t => {
  const closed: string[] = []
  const close = (name: string) => async () => void closed.push(name)
  const failures = await closeAll([
    close('database'),
    () => {
      throw new Error('at once')
    },
    close('keys'),
    async () => Promise.reject(new Error('later')),
    () => undefined,
    close('listener'),
  ])
  t.same(closed, ['listener', 'keys', 'database'])
  t.match(failures, [{ message: 'later' }, { message: 'at once' }])
})
