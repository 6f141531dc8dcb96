/** Lists in pages: ordered by an id that never changes, so that what is added meanwhile moves nothing. */

export interface PageRequest {
  /** 1 to 100. */
  readonly limit: number
  /** The id of the last item of the page before. */
  readonly after: string | undefined
}

export interface Page<Item> {
  readonly items: readonly Item[]
  /** The id to go on after; undefined on the last page. */
  readonly next: string | undefined
}

/** Of `limit + 1` rows that were asked for, the page that they make. */
export function pageOf<Item>(rows: readonly Item[], limit: number, idOf: (item: Item) => string): Page<Item> {
  const items = rows.slice(0, limit)
  const last = items.at(-1)
  return { items, next: rows.length > limit && last !== undefined ? idOf(last) : undefined }
}
