/** What the page of test/browser/world.ts puts into its global scope. */
import type { Change, Client, createClient as create } from '../../packages/client/src/index.js'

declare global {
  var client: Client
  var changes: Change[]
  var createClient: typeof create
}
