/** Times as people read them, without a clock and without a time zone. */

const units = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
] as const

/** `3 hours ago`. */
export function ago(seconds: number): string {
  for (const [unit, size] of units) {
    const count = Math.floor(seconds / size)
    if (count >= 1) return `${count} ${unit}${count === 1 ? '' : 's'} ago`
  }
  return 'just now'
}

/** `26 November 2026`, in UTC. */
export function day(numericDate: number): string {
  const format = { day: 'numeric', month: 'long', year: 'numeric', timeZone: 'UTC' } as const
  return new Date(numericDate * 1000).toLocaleDateString('en-GB', format)
}
