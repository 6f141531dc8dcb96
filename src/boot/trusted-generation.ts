/** The generation of the database that this installation has trusted, kept beside the key-encryption keys as the name of a file. */
import { open, readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * A file for each, `<generation>.generation`, and the highest counts: what is named is there as a whole or not at all,
 * and of two that are kept at once none takes the other back. What is in the file is no matter.
 */
const form = /^([1-9][0-9]{0,14})\.generation$/

const nameOf = (generation: number) => `${generation}.generation`

export interface TrustedGeneration {
  /** The highest that was ever kept here; 0 in a fresh folder. */
  readonly kept: number
  readonly file: string
  /** Keeps a higher one. Answers why it could not, with the remedy: an operator can put the file there as well. */
  keep(generation: number): Promise<string | undefined>
}

export async function openTrustedGeneration(folder: string): Promise<TrustedGeneration> {
  let kept = Math.max(0, ...(await generationsIn(folder)))
  return {
    get kept() {
      return kept
    },
    get file() {
      return join(folder, nameOf(kept))
    },
    async keep(generation) {
      if (generation <= kept) return undefined
      try {
        await write(folder, generation)
      } catch (error) {
        return `the generation ${generation} of the database cannot be stored in ${folder} (${(error as NodeJS.ErrnoException).code}), so after a restart the service could not tell a former primary or a restored backup from the current database. Put an empty file ${nameOf(generation)} beside the key-encryption keys (in Kubernetes, a key with that name in their secret). Add the new one after each \`mintmark recover\``
      }
      kept = generation
      return undefined
    },
  }
}

/** A folder that is not there, or cannot be read, keeps none; anybody who needs the keys in it says so. */
async function generationsIn(folder: string): Promise<number[]> {
  const names = await readdir(folder).catch(() => [])
  return names.flatMap(name => {
    const [, generation] = form.exec(name) ?? []
    return generation === undefined ? [] : [Number(generation)]
  })
}

async function write(folder: string, generation: number): Promise<void> {
  const file = await open(join(folder, nameOf(generation)), 'a', 0o600)
  await file.close()
  const directory = await open(folder)
  await directory.sync()
  await directory.close()
  const lower = (await generationsIn(folder)).filter(other => other < generation)
  for (const other of lower) await unlink(join(folder, nameOf(other))).catch(() => {})
}
