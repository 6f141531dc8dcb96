/** So many at a time of each name: who finds no place is told at once, and takes nobody else's. */
export function createPlaces(most: number) {
  const taken = new Map<string, number>()
  return async function inPlace<T>(name: string, work: () => Promise<T>): Promise<T | 'full'> {
    const others = taken.get(name) ?? 0
    if (others >= most) return 'full'
    taken.set(name, others + 1)
    try {
      return await work()
    } finally {
      const left = (taken.get(name) ?? 1) - 1
      if (left > 0) taken.set(name, left)
      else taken.delete(name)
    }
  }
}
