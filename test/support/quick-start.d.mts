/** What quick-start.mjs offers to tests. */
export interface Result {
  readonly rule: string
  readonly block: string
  readonly printed?: string
  readonly passed?: boolean
  readonly skipped?: string
}

export function quickStart(): { readonly block: string; readonly step: { readonly rule: string } }[]
export function runQuickStart(issuer: string, output: () => string): Promise<Result[]>
