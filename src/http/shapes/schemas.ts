/** Request and response shapes that several routes share; they are types, validation and OpenAPI at once. */
import { type Static, type TSchema, Type } from 'typebox'
import { catalogue, type ErrorCode } from '../middleware/problem.js'
import type { Revokes } from '../middleware/revocation.js'
import { withPosition } from './position-header.js'

const strict = { additionalProperties: false }

/** A request body: members that are not named are refused. */
export function Body<const T extends Parameters<typeof Type.Object>[0]>(members: T) {
  return Type.Object(members, strict)
}

/** Text for users: no control characters; and no lone surrogates, of which most languages' patterns know nothing. */
export const Text = (maxLength: number, minLength = 1) =>
  Type.String({ minLength, maxLength, pattern: '^[^\\x00-\\x1f\\x7f-\\x9f]*$', format: 'text' })
/** What our schemas mean by formats that are in no standard. */
export const formats = { text: (text: string) => text.isWellFormed() }

export const Email = Type.String({
  maxLength: 320,
  description: 'An email address.',
  examples: ['ada@example.com'],
})
/** Judged by the password policy, in code points and bytes; here only its outer bound. */
export const Password = Type.String({
  maxLength: 4096,
  description: 'A password, at most 1024 bytes in NFC and UTF-8.',
})
export const LinkToken = Type.String({
  maxLength: 100,
  description: 'The token from the fragment of an emailed link.',
})
const uuid = { format: 'uuid', pattern: '^[0-9a-f-]{36}$' }
export const Id = Type.String(uuid)
export const DescribedId = (description: string) => Type.String({ ...uuid, description })

/** The public id of a session, in its one spelling. */
export const SessionHandle = Type.String({
  pattern: '^[A-Za-z0-9_-]{21}[AQgw]$',
  description: 'The public id of a session.',
})

/** Sessions that have ended. */
export const Ended = (description: string) =>
  Type.Object(
    {
      ended: Type.Optional(
        Type.Integer({
          description: 'The number of sessions that ended. Absent if sessions are stored in Redis.',
        }),
      ),
    },
    { title: 'EndedSessions', description },
  )

/** The one answer to a request that is followed up by mail, or not. */
export const Accepted = Type.Object(
  { accepted: Type.Literal(true) },
  { title: 'Accepted', description: 'Accepted. The next step is sent by email.' },
)

/** Beyond 32 bits from 2038 on: generated clients take an integer for one of 32 bits unless they are told. */
const instant = { format: 'int64' }
export const Instant = Type.Integer({
  ...instant,
  description: 'NumericDate: seconds since 1970-01-01T00:00:00Z.',
})

/** Who a session or a membership is of. */
export const UserProfile = Type.Object(
  {
    id: Type.String(),
    email: Type.String(),
    name: Type.Union([Type.String(), Type.Null()]),
  },
  { title: 'UserProfile' },
)

export const Opened = Type.Object(
  {
    session: Type.Object(
      {
        id: Type.String({ description: 'The public id of the session, as in `sid` and the device list.' }),
        ends_at: Instant,
      },
      { title: 'OpenedSession' },
    ),
    user: Type.Object({ id: Type.String() }, { title: 'UserReference' }),
  },
  { title: 'SignedIn', description: 'A session was created, and `Set-Cookie` contains its cookie.' },
)

export const WhoAmI = Type.Object(
  {
    session: Type.Object(
      {
        id: Type.String(),
        created_at: Instant,
        auth_time: Type.Union([Instant, Type.Null()], {
          description:
            'When the user authenticated. Null if they signed in through a provider whose authentication is not accepted for step-up: then no `max_age` is met.',
        }),
        amr: Type.Array(Type.String(), { description: 'Authentication methods (RFC 8176).' }),
        acr: Type.String(),
        ends_at: Type.Integer({ ...instant, description: 'The latest end, a NumericDate.' }),
        idle_ends_at: Type.Integer({
          ...instant,
          description: 'The end if the session is not used again, a NumericDate.',
        }),
      },
      { title: 'CurrentSession' },
    ),
    user: UserProfile,
    tenant: Type.Union([
      Type.Object(
        {
          id: Type.String(),
          name: Type.String(),
          roles: Type.Array(Type.String()),
          permissions: Type.Array(Type.String()),
        },
        { title: 'CurrentTenant' },
      ),
      Type.Null(),
    ]),
  },
  { title: 'WhoAmI', description: 'The signed-in user and their session.' },
)
export type WhoAmI = Static<typeof WhoAmI>

/** For the reference: who a route is for. What guards it is the context it is registered in. */
export const forAnyone = { security: [] }
export const forSessions = { security: [{ session: [] }] }
export const forSessionsOrNobody = { security: [...forSessions.security, {}] }
export const forServices = { security: [{ serviceKey: [] }] }
/** By a service key, as a bearer token or in Basic. */
export const forClients = { security: [...forServices.security, { serviceKeyAsClient: [] }] }
export const forSessionsOrKeys = { security: [...forSessions.security, ...forServices.security] }

/** For the reference: an answer without a body. */
export const Nothing = (description: string) => Type.Null({ description })

/** Codes that any route may answer. */
const everywhere: ErrorCode[] = ['invalid_request', 'header_fields_too_large', 'internal_error']
/** Those of requests that no route is found for: their heads are malformed or too large. */
const beforeRouting = ['invalid_request', 'header_fields_too_large'] as const

const asDocument = { 'application/problem+json': { schema: Type.Unsafe({ $ref: 'Problem#' }) } }

/** The refusals of a route, by status, for its `response` schema. Nothing but these codes may leave it. */
export const problems = (...codes: ErrorCode[]) => refusals(codes, () => asDocument)

/** Of a navigation, whose refusal a user reads: a page, with the code at its `main` element as `data-code`. */
export const pageProblems = (...codes: ErrorCode[]) =>
  refusals(codes, status => ({
    'text/html': { schema: Type.String() },
    ...(beforeRouting.some(code => catalogue[code][0] === status) && asDocument),
  }))

function refusals(codes: readonly ErrorCode[], contentAt: (status: number) => object) {
  const byStatus: Record<number, ErrorCode[]> = {}
  for (const code of [...everywhere, ...codes]) {
    const [status] = catalogue[code]
    byStatus[status] = [...(byStatus[status] ?? []), code]
  }
  return Object.fromEntries(
    Object.entries(byStatus).map(([status, listed]) => [
      status,
      {
        description: listed.map(code => `\`${code}\`: ${catalogue[code][1]}`).join('\n\n'),
        content: contentAt(Number(status)),
      },
    ]),
  )
}

/** Of a route by which somebody who is signed in reads what is theirs, in turn with their other requests. */
export const ownListProblems = [
  'unauthenticated',
  'session_superseded',
  'insecure_transport',
  'too_many_requests',
  'busy',
  'unavailable',
] as const

/** What every state-changing JSON route can answer. */
export const jsonProblems = [
  'wrong_origin',
  'insecure_transport',
  'body_too_large',
  'unsupported_media_type',
  'not_confirmed',
  'unavailable',
] as const

/** Of somebody who is signed in, and whose requests take turns. */
export const userProblems = [
  ...jsonProblems,
  'unauthenticated',
  'session_superseded',
  'too_many_requests',
  'busy',
] as const

/** What a route takes beside its path, what it answers by status, and what it refuses. */
export interface Operation {
  readonly summary: string
  readonly params?: TSchema
  readonly querystring?: TSchema
  readonly body?: TSchema
  readonly consumes?: string[]
  readonly answers: Readonly<Record<number, TSchema>>
  readonly refuses?: readonly ErrorCode[]
  /** A success takes something away: its answer says up to which position of the feed that is published. */
  readonly revokes?: Revokes
}

/** A route's schema: validation, serialization and the reference at once. */
export function operation<const Told extends Operation>(
  tag: string,
  { security }: { readonly security: Readonly<Record<string, string[]>>[] },
  operationId: string,
  { answers, refuses = [], revokes, ...takes }: Told,
) {
  const told = revokes ? withPosition(answers) : answers
  const response = { ...(told as Told['answers']), ...problems(...refuses) }
  return {
    config: revokes ? { revokes } : {},
    schema: { operationId, tags: [tag], security, ...takes, response },
  }
}
