/** The limits of the throttle as settings: a row for each, made from the list of limits. */
import { linkMinutes } from '../accounts/links.js'
import { type Limit, type LimitName, type Limits, limits, narrower } from '../accounts/throttle.js'
import type { Setting } from './settings.js'

interface LimitSetting extends Setting {
  readonly default: string
  readonly parse: (text: string) => Limit
}

const units = { d: 86_400, h: 3600, m: 60 } as const
const most = 100_000
/** A longer window would keep a user from the next link after their last one has ended. */
const longestFor = (name: LimitName) => (name === 'mail by recipient' ? linkMinutes * 60 : 7 * units.d)

const names = Object.keys(limits) as LimitName[]

export const limitSettings = byLimit(settingOf)

export function byLimit<T>(make: (name: LimitName) => T): { readonly [K in LimitName]: T } {
  return Object.fromEntries(names.map(name => [name, make(name)])) as { [K in LimitName]: T }
}

/** As it is written: `50/15m`. */
export function writtenLimit({ points, seconds }: Limit): string {
  const [unit, length] = Object.entries(units).find(([, length]) => seconds % length === 0) ?? ['m', units.m]
  return `${points}/${seconds / length}${unit}`
}

/** Where one limit is a part of another: anybody who reaches the narrow one must not have used up the wide one. */
export function limitFaults(values: Limits): string[] {
  return narrower.flatMap(([wide, narrow]) =>
    values[wide].points < values[narrow].points
      ? `${envOf(wide)} allows fewer attempts than ${envOf(narrow)}: allow at least as many`
      : [],
  )
}

function envOf(name: LimitName): string {
  return `MINTMARK_LIMIT_${name.toUpperCase().replaceAll(/[ -]/g, '_')}`
}

function settingOf(name: LimitName): LimitSetting {
  const usual = writtenLimit(limits[name])
  const longest = writtenLimit({ points: most, seconds: longestFor(name) })
  return {
    env: envOf(name),
    parse: text => read(text, name) ?? limits[name],
    faults: (text, env) =>
      !read(text, name) &&
      `${env} must be attempts and their window, like ${usual}: from 1/1m to ${longest}, in minutes (m), hours (h) or days (d)`,
    default: usual,
    meaning: `The [limit](rate-limits.md) \`${name}\`: attempts and their window, from \`1/1m\` to \`${longest}\`.`,
  }
}

function read(text: string, name: LimitName): Limit | undefined {
  const [, attempts, length, unit] = /^(\d{1,6})\/(\d{1,5})([mhd])$/.exec(text) ?? []
  const points = Number(attempts)
  const seconds = Number(length) * (units[unit as keyof typeof units] ?? Number.NaN)
  const fits = points >= 1 && points <= most && seconds >= 60 && seconds <= longestFor(name)
  return fits ? { points, seconds } : undefined
}
