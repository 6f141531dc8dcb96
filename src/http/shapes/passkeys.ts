/** What is sent to `navigator.credentials` and comes back from it, in the JSON of WebAuthn Level 3, section 5.1. */
import { type TSchema, Type } from 'typebox'

/** The bytes within are judged in one place (src/accounts/passkey-response.ts); here only their outer bounds. */
const Bytes = (maxLength: number, description?: string) =>
  Type.String({ maxLength, ...(description !== undefined && { description }) })
const Id = Type.String({ maxLength: 1400, description: 'The id of the credential in base64url.' })

/** Browsers may add members: those that are not named are passed over. */
function answer(title: string, description: string, response: Record<string, TSchema>) {
  return Type.Object(
    {
      id: Id,
      rawId: Id,
      type: Type.Literal('public-key'),
      response: Type.Object(
        { clientDataJSON: Bytes(5500, 'The client data in base64url.'), ...response },
        { title },
      ),
    },
    { title: `${title}Credential`, description },
  )
}

export const AssertionResponse = answer(
  'Assertion',
  '`PublicKeyCredential.toJSON()` of `navigator.credentials.get()`.',
  {
    authenticatorData: Bytes(1400),
    signature: Bytes(700),
    userHandle: Type.Optional(Type.Union([Bytes(100), Type.Null()])),
  },
)

export const RegistrationResponse = answer(
  'Attestation',
  '`PublicKeyCredential.toJSON()` of `navigator.credentials.create()`.',
  { attestationObject: Bytes(22_000) },
)

const Descriptor = Type.Object(
  {
    id: Type.String(),
    type: Type.String(),
    transports: Type.Optional(Type.Array(Type.String())),
  },
  { title: 'CredentialDescriptor' },
)
const challenge = Type.String({
  description: 'The challenge in base64url. It can be answered once, within 5 minutes.',
})
const timeout = Type.Optional(Type.Integer({ description: 'Milliseconds.' }))

export const AssertionOptions = Type.Object(
  {
    challenge,
    rpId: Type.String(),
    allowCredentials: Type.Optional(Type.Array(Descriptor)),
    userVerification: Type.String(),
    timeout,
  },
  {
    title: 'AuthenticationOptions',
    description: 'For `PublicKeyCredential.parseRequestOptionsFromJSON()` and `navigator.credentials.get()`.',
  },
)

export const RegistrationOptions = Type.Object(
  {
    challenge,
    rp: Type.Object({ id: Type.String(), name: Type.String() }, { title: 'RelyingParty' }),
    user: Type.Object(
      { id: Type.String(), name: Type.String(), displayName: Type.String() },
      { title: 'PasskeyUser' },
    ),
    pubKeyCredParams: Type.Array(
      Type.Object({ type: Type.String(), alg: Type.Integer() }, { title: 'CredentialParameters' }),
    ),
    excludeCredentials: Type.Array(Descriptor),
    authenticatorSelection: Type.Object(
      {
        residentKey: Type.String(),
        requireResidentKey: Type.Boolean(),
        userVerification: Type.String(),
      },
      { title: 'AuthenticatorSelection' },
    ),
    attestation: Type.String(),
    extensions: Type.Object({ credProps: Type.Boolean() }, { title: 'CredentialExtensions' }),
    timeout,
  },
  {
    title: 'RegistrationOptions',
    description:
      'For `PublicKeyCredential.parseCreationOptionsFromJSON()` and `navigator.credentials.create()`.',
  },
)
