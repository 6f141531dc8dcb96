/** What was given of what may be: a member that is undefined is left out, where leaving it out and giving it differ. */

type Given<T> = { [Name in keyof T]?: Exclude<T[Name], undefined> }

export function given<T extends object>(members: T): Given<T> {
  const there = Object.entries(members).filter(([, value]) => value !== undefined)
  return Object.fromEntries(there) as Given<T>
}
