/** Work that goes on after an answer. */

/** Work after the answer: it is waited for at shutdown, and its failure goes to the log under this name. */
export type InBackground = (name: string, work: () => Promise<void>) => void
