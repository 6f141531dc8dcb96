/** Where the project lies. Tests run compiled, from build/; what they read of the project itself is found from here. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

let folder = new URL('.//', import.meta.url)
while (!existsSync(new URL('package-lock.json', folder))) folder = new URL('../', folder)

/** The folder of package.json, README.md and the sources. */
export const rootUrl = folder
export const root = fileURLToPath(folder)
