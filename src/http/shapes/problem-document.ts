/** The document of every refusal (RFC 9457). */
import { Type } from 'typebox'
import { errorCodes } from '../middleware/problem.js'

const RequestFault = Type.Object(
  { pointer: Type.String({ description: 'A JSON Pointer to the fault (RFC 6901).' }), detail: Type.String() },
  { title: 'RequestFault' },
)

export const ProblemDocument = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.Enum(errorCodes),
    detail: Type.Optional(Type.String()),
    max_age: Type.Optional(
      Type.Integer({ description: 'The maximum age of the authentication in seconds (RFC 9470).' }),
    ),
    acr_values: Type.Optional(
      Type.String({ description: 'The authentication level that is needed, `aal2` (RFC 9470).' }),
    ),
    errors: Type.Optional(Type.Array(RequestFault)),
    request_id: Type.String(),
  },
  { $id: 'Problem', description: 'A problem document (RFC 9457).' },
)
