/** Tables for users: aligned columns under a line of heads, in plain text. */

/** Lays out rows as they come, page by page: a column gets wider where it must, and never narrower again. */
export function table(heads: readonly string[]): (rows: readonly (readonly string[])[]) => string[] {
  const widths = heads.map(() => 0)
  let header = [heads]
  return rows => {
    const cells = [...header, ...rows].map(row => row.map(visible))
    header = []
    for (const row of cells) for (const [at, text] of row.entries()) widths[at] = wider(widths[at], text)
    return cells.map(row => line(row, widths))
  }
}

/** One thing: what it is called beside what it is, a line each. */
export function details(facts: Readonly<Record<string, string>>): string[] {
  const names = Object.keys(facts)
  const widths = [Math.max(...names.map(width))]
  return Object.entries(facts).map(([name, fact]) => line([name, visible(fact)], widths))
}

/** A list within a cell; a dash where there is nothing, so that a column stays a column. */
export function cell(value: string | number | null | readonly string[]): string {
  const text = Array.isArray(value) ? value.join(', ') : String(value ?? '')
  return text === '' ? '-' : text
}

export function time(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`
}

/** The last cell ends the line. */
function line(row: readonly string[], widths: readonly number[]): string {
  const padded = row.map((text, at) => text + ' '.repeat(Math.max(0, (widths[at] ?? 0) - width(text))))
  return padded.join('  ').trimEnd()
}

const wider = (before = 0, text = '') => Math.max(before, width(text))
const width = (text: string) => [...text].length

/** What users wrote must not move the cursor of who reads it, nor turn the direction of a line. */
const visible = (text: string) => text.replace(/[\p{Cc}\p{Bidi_Control}]/gu, '\ufffd')
