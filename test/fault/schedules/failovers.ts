/** Directed schedules with another server than the one that was trusted: nothing is accepted until it is recovered. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type PostgresServer, until } from '../cluster/postgres.js'
import type { Stage } from '../stage.js'
import type { Schedule } from './schedule.js'

export const failovers: readonly Schedule[] = [
  {
    rule: 'a promoted standby that missed a revocation lets nobody in, until `mintmark recover` has ended all sessions',
    exposes: ['lineage-ignored'],
    async play(stage) {
      const device = await stage.device()
      const bystander = await stage.device()
      const { cookie } = device
      const replica = await stage.cluster.newReplica()
      stage.later(() => replica.stop())
      await replica.disconnect()
      const out = await device.signOut(stage.at(2))
      stage.need(out.outcome === 'ok', 'signing out was confirmed by the primary', out)
      await replica.promote()
      // It goes on by itself, past where the primary was: only its timeline tells that it is another.
      await replica.sql`select pg_switch_wal()`

      await pointAt(stage, replica)
      for (let round = 0; round < 12; round++) {
        const entries = [await device.check(stage.at(1), cookie), await bystander.mint(stage.at(1))]
        if (entries.some(({ outcome }) => outcome === 'ok')) return
        for (const entry of entries)
          stage.claim(entry.status === 503, 'nothing is accepted, nobody signed out', entry)
      }
      if ((await stage.verdict()).length > 0) return
      await recovered(stage, replica.url(stage.at(1).postgres.port))
      for (const [one, sent] of [
        [device, cookie],
        [bystander, bystander.cookie],
      ] as const) {
        await until(async () => (await one.check(stage.at(1), sent)).status === 401, 5)
      }
      const again = await stage.newDevice(device.person).signIn(stage.at(1))
      stage.claim(again.outcome === 'ok', 'whoever signs in again is let in', again)
      // The tables that are looked at in the end are those of the primary.
      await stage.operator.endAll()
    },
  },
  {
    rule: 'a restored backup that lacks a revocation lets nobody in, until `mintmark recover` has ended all sessions',
    async play(stage) {
      const device = await stage.device()
      const { cookie } = device
      const restore = await stage.cluster.primary.backUp(join(stage.cluster.folder, 'backup'))
      const out = await device.signOut(stage.at(2))
      stage.need(out.outcome === 'ok', 'signing out was confirmed by the primary', out)
      const restored = await restore()
      stage.later(() => restored.stop())
      const [row] = await restored.sql`
        select ended_at is null as alive from sessions where id = ${cookie?.session ?? ''}`
      stage.need(row?.alive === true, 'the backup does not know of it', out)

      await pointAt(stage, restored)
      for (let round = 0; round < 5; round++) {
        const entry = await device.check(stage.at(1), cookie)
        stage.claim(entry.status === 503, 'nothing is accepted, nobody signed out', entry)
      }
      if ((await stage.verdict()).length > 0) return
      await recovered(stage, restored.url(stage.at(1).postgres.port))
      await until(async () => (await device.check(stage.at(1), cookie)).status === 401, 5)
      const again = await stage.newDevice(device.person).signIn(stage.at(1))
      stage.claim(again.outcome === 'ok', 'whoever signs in again is let in', again)
      await stage.operator.endAll()
    },
  },
  {
    rule: 'the former primary that comes back lets nobody in, on an instance that ran on or on one that is started then',
    exposes: ['former-primary-trusted'],
    patience: 60,
    async play(stage) {
      const device = await stage.device()
      const { cookie } = device
      const replica = await stage.cluster.newReplica()
      stage.later(() => replica.stop())
      await replica.disconnect()
      await replica.promote()
      await pointAt(stage, replica)
      await recovered(stage, replica.url(stage.at(1).postgres.port))
      await until(async () => (await device.check(stage.at(1), cookie)).status === 401, 5)

      await leadBack(stage)
      for (let round = 0; round < 12; round++) {
        const entry = await device.check(stage.at(1), cookie)
        if (entry.outcome === 'ok') return
        stage.claim(entry.status === 503, 'nothing is accepted, nobody signed out', entry)
      }
      const instance = stage.at(1)
      await instance.kill()
      await instance.start({}, { wait: false })
      await until(async () => !instance.alive)
      const log = await readFile(instance.logFile, 'utf8')
      stage.claim(/former primary or a restored backup/.test(log.slice(-2000)), 'the start says why')
      await recover(stage, stage.cluster.operatorUrl, '--nothing-lost')
      await instance.start()
      await stage.operator.endAll()
    },
  },
  {
    rule: 'a copy of the data folder that is put back lets nobody in on an instance that has seen later, until `mintmark recover`',
    exposes: ['position-ignored'],
    async play(stage) {
      const device = await stage.device()
      const { cookie } = device
      const start = await stage.cluster.primary.snapshot(join(stage.cluster.folder, 'snapshot'))
      const out = await device.signOut(stage.at(2))
      stage.need(out.outcome === 'ok', 'signing out was confirmed by the primary', out)
      // Somebody is served after it.
      const again = stage.newDevice(device.person)
      for (let round = 0; round < 5; round++) await again.signIn(stage.at(1))
      await again.check(stage.at(1))
      const copy = await start()
      stage.later(() => copy.stop())
      const [row] = await copy.sql`
        select ended_at is null as alive from sessions where id = ${cookie?.session ?? ''}`
      stage.need(row?.alive === true, 'the copy does not know of it', out)

      await pointAt(stage, copy)
      for (let round = 0; round < 12; round++) {
        const entry = await device.check(stage.at(1), cookie)
        if (entry.outcome === 'ok') return
        stage.claim(entry.status === 503, 'nothing is accepted, nobody signed out', entry)
      }
      if ((await stage.verdict()).length > 0) return
      await recovered(stage, copy.url(stage.at(1).postgres.port))
      await until(async () => (await device.check(stage.at(1), cookie)).status === 401, 5)
      const fresh = await stage.newDevice(device.person).signIn(stage.at(1))
      stage.claim(fresh.outcome === 'ok', 'whoever signs in again is let in', fresh)
      await stage.operator.endAll()
    },
  },
]

/** Instance 1 is led to another server, until the end; its connections are made anew there. */
export async function pointAt(stage: Stage, server: PostgresServer): Promise<void> {
  const { postgres } = stage.at(1)
  postgres.target = server.socket
  postgres.drop()
  // In the end the primary of all schedules is to be believed again, and nothing of what it has was lost.
  stage.last(async () => {
    await recover(stage, stage.cluster.operatorUrl, '--nothing-lost')
    await leadBack(stage)
    if (!stage.at(1).alive) await stage.at(1).start()
    await stage.at(1).ready()
  })
  await until(
    async () =>
      (await server.sql`select from pg_stat_activity where application_name = 'mintmark'`).length > 0,
  )
}

/** The primary is at its old address again, as it was. */
async function leadBack(stage: Stage): Promise<void> {
  const { postgres } = stage.at(1)
  postgres.target = stage.cluster.primary.socket
  postgres.drop()
}

/** In the history it ends all there are. */
export async function recovered(stage: Stage, url: string): Promise<void> {
  const start = performance.now()
  await recover(stage, url)
  const op = 'operator ends all there are'
  stage.history.add({ client: 'recover', op, start, end: performance.now(), outcome: 'ok', facts: {} })
}

export async function recover(stage: Stage, url: string, ...options: string[]): Promise<void> {
  const cli = join(stage.tree, 'dist', 'cli.js')
  await promisify(execFile)(process.execPath, [cli, 'recover', ...options], {
    cwd: stage.cluster.folder,
    env: {
      PATH: process.env.PATH ?? '',
      DATABASE_URL: url,
      ISSUER: 'http://localhost:4000',
      MINTMARK_OUTBOX_FOLDER: 'outbox',
      MINTMARK_KEYS_FOLDER: join(stage.cluster.folder, 'keys'),
    },
  })
}
