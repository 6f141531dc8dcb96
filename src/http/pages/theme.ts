/** What an operator makes the hosted pages look like: a style sheet that sets their variables, and a logo. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { StartRefused } from '../../core/errors.js'

export interface Theme {
  readonly css: string | undefined
  readonly logo: { readonly type: string; readonly bytes: Buffer } | undefined
}

export const noTheme: Theme = { css: undefined, logo: undefined }

/** Either may be missing, not both: then the folder is not the one that was meant. */
export async function loadTheme(folder: string | undefined): Promise<Theme> {
  if (folder === undefined) return noTheme
  const [css, svg, png] = await Promise.all(
    ['theme.css', 'logo.svg', 'logo.png'].map(name => readFile(join(folder, name)).catch(() => undefined)),
  )
  if (!css && !svg && !png) {
    throw new StartRefused([
      `MINTMARK_THEME_FOLDER ${folder} contains no readable theme.css, logo.svg or logo.png: add one of them, or remove the setting`,
    ])
  }
  const logo = svg ? { type: 'image/svg+xml', bytes: svg } : png && { type: 'image/png', bytes: png }
  return { css: css?.toString(), logo }
}
