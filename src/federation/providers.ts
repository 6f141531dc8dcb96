/** Providers as operators manage them: what is declared is judged and tried before it is stored, and secrets are sealed. */
import type { Actor } from '../audit/events.js'
import type { KeyEncryptionKeys } from '../sealing/key-encryption-keys.js'
import { boundedFetch, ProviderUnavailable } from './bounded-fetch.js'
import { clientSecretOf } from './connection.js'
import { connect } from './metadata.js'
import {
  faultsOf,
  logoutAddress,
  type Provider,
  type ProviderChange,
  type ProviderConfig,
  redirectAddress,
  secretSealedAs,
} from './provider.js'
import type { ProviderStore, SealedSecret } from './store.js'

export interface ProviderParts {
  readonly store: ProviderStore
  readonly issuer: string
  /** To open what was sealed. */
  readonly keks: () => Promise<KeyEncryptionKeys>
  /** To seal with: those that the service has. */
  readonly sealing: () => Promise<KeyEncryptionKeys>
}

/** Why it was not stored, for anybody who declared it. */
export type NotStored = { readonly faults: readonly string[] } | { readonly unreachable: string }

export type Providers = ReturnType<typeof createProviders>

export function createProviders({ store, issuer, keks, sealing }: ProviderParts) {
  const { list, read, endSessions } = store

  async function notStorable(
    config: ProviderConfig,
    secret: (() => string | Promise<string>) | undefined,
  ): Promise<NotStored | undefined> {
    const faults = faultsOf(config, issuer.startsWith('http:'))
    if (faults.length > 0) return { faults }
    return secret && unreachable(config, secret)
  }

  const seal = async (id: string, secret: string): Promise<SealedSecret> =>
    (await sealing()).seal(Buffer.from(secret), secretSealedAs(issuer, id))

  const opened = async (provider: Parameters<typeof clientSecretOf>[1]) =>
    clientSecretOf({ issuer, keks: await keks() }, provider)

  /** Sessions that it opened live on, unless they are to end, too. */
  async function turn(id: string, state: Provider['state'], ends: boolean, actor: Actor) {
    const provider = await store.change(id, { state }, undefined, actor)
    // Neither the issuer changes nor who is linked.
    if (provider === 'issuer-taken' || provider === 'linked') throw new Error(provider)
    if (typeof provider === 'string') return provider
    return { provider, ended: ends ? await endSessions(id, judged(actor)) : undefined }
  }

  return {
    list,
    read,
    turn,

    async create(config: ProviderConfig, secret: string, actor: Actor) {
      await store.judge(actor)
      const refused = await notStorable(config, () => secret)
      return refused ?? store.create(config, await seal(config.id, secret), actor)
    },

    /** Lists that are given replace those before. Where it is, and as whom it is asked, is tried before it is stored. */
    async change(id: string, to: ProviderChange, secret: string | undefined, actor: Actor) {
      await store.judge(actor)
      const before = await read(id)
      if (!before) return 'unknown' as const
      const tries = secret !== undefined || tried.some(member => member in to)
      const refused = await notStorable(
        { ...before, ...to },
        tries ? () => secret ?? opened(before) : undefined,
      )
      if (refused) return refused
      return store.change(id, to, secret === undefined ? undefined : await seal(id, secret), actor)
    },

    /** Repeated after a failure it finds the provider, and what it had opened, where it left them. */
    async remove(id: string, ends: boolean, actor: Actor) {
      const turned = ends ? await turn(id, 'disabled', true, actor) : undefined
      const rest = turned === undefined ? actor : judged(actor)
      if (typeof turned === 'string') return turned
      const removed = await store.remove(id, rest)
      if (removed !== 'removed') return removed
      return { ended: turned?.ended }
    },

    /** Asked as a sign-in asks. */
    async check(id: string, actor: Actor) {
      await store.judge(actor)
      const provider = await read(id)
      if (!provider) return 'unknown' as const
      return (await unreachable(provider, () => opened(provider))) ?? ('answers' as const)
    },

    /** Secrets move under the newest key-encryption key. */
    async reseal(actor: Actor) {
      const keys = await keks()
      return store.reseal((id, secret) => resealed(id, secret, keys, issuer), actor)
    },
  }
}

/** The rest of a request whose first change was judged: the caller's own session may have ended with it. */
const judged = ({ authorized: _, ...by }: Actor): Actor => by

/** What of a change is tried before it is stored. */
const tried = ['issuer', 'hosts', 'directories', 'clientId'] as const satisfies (keyof ProviderChange)[]

async function unreachable(config: ProviderConfig, secret: () => string | Promise<string>) {
  try {
    const connection = await connect(config, await secret())
    const { jwks_uri: keysAt } = connection.config.serverMetadata()
    if (keysAt !== undefined) await readKeys(config, keysAt)
    return undefined
  } catch (error) {
    if (error instanceof ProviderUnavailable) return { unreachable: error.message }
    throw error
  }
}

async function readKeys(config: ProviderConfig, keysAt: string): Promise<void> {
  const answer = await boundedFetch(config)(keysAt, { headers: { accept: 'application/json' } })
  const set = (await answer.json().catch(() => undefined)) as { keys?: unknown } | null | undefined
  if (answer.status !== 200 || !Array.isArray(set?.keys))
    throw new ProviderUnavailable(`its keys were answered with ${answer.status}, or are not a key set`)
}

/** One whose key-encryption key is gone is lost already; its provider says so, and the operator gives it again. */
function resealed(id: string, secret: SealedSecret, keks: KeyEncryptionKeys, issuer: string) {
  if (secret.kekId === keks.newest() || !keks.has(secret.kekId)) return undefined
  const boundTo = secretSealedAs(issuer, id)
  return keks.seal(keks.open(secret.kekId, secret.sealed, boundTo), boundTo)
}

/** As JSON shows it: never with its secret. */
export function describeProvider(issuer: string, provider: Provider) {
  return {
    id: provider.id,
    name: provider.name,
    kind: provider.kind,
    state: provider.state,
    issuer: provider.issuer,
    client_id: provider.clientId,
    redirect_uri: redirectAddress(issuer, provider.id),
    logout_uri: provider.kind === 'github' ? null : logoutAddress(issuer, provider.id),
    scopes: [...provider.scopes],
    hosts: [...provider.hosts],
    directories: [...provider.directories],
    sign_up: provider.signUp,
    sign_up_domains: [...provider.signUpDomains],
    authoritative_for: [...provider.authoritativeFor],
    claims: provider.claims as { name?: string; email_verified?: string },
    grants: provider.grants.map(grant => ({ ...grant })),
    counts_as_proof: provider.countsAsProof,
    aal2: [...provider.aal2],
    created_at: Math.floor(provider.createdAt),
  }
}
