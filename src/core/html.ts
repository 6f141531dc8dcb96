/** HTML that is escaped by construction: only this tag makes it, and only what it made is not escaped again. */

export class Html {
  readonly #markup: string

  constructor(markup: string) {
    this.#markup = markup
  }

  toString(): string {
    return this.#markup
  }
}

type Value = string | Html | readonly Html[]

/** A value is text, an attribute's value (attributes are always quoted), or other `Html`, one or a list. */
export function html(strings: TemplateStringsArray, ...values: readonly Value[]): Html {
  return new Html(String.raw({ raw: strings }, ...values.map(markup)))
}

function markup(value: Value): string {
  if (typeof value === 'string') return escapeMarkup(value)
  return value instanceof Html ? value.toString() : value.join('\n')
}

function escapeMarkup(text: string): string {
  return text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)
}
