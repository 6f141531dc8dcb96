/** Times as users read them, without a clock and without a time zone. */

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

/** Made once: making one takes a hundred times as long as using it. */
const days = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'long',
  year: 'numeric',
  timeZone: 'UTC',
})

const times = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', timeZone: 'UTC' })

/** `26 November 2026, 14:05 UTC`. */
export function dayAndTime(numericDate: number): string {
  return `${day(numericDate)}, ${times.format(numericDate * 1000)} UTC`
}

/** `26 November 2026`, in UTC. */
export function day(numericDate: number): string {
  return days.format(numericDate * 1000)
}
