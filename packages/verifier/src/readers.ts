/** Owns what the issuer itself reads tokens and keys with, so that it and every verifier read them alike. */
export { type ClaimsFault, judgeTime, readClaims } from './claims.js'
export { type CompactFault, type CompactJws, readCompact } from './compact.js'
export type { TokenClaims } from './principal.js'
export { type PublicKey, publicKey } from './public-key.js'
export { strictObject } from './strict-json.js'
