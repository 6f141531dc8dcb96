/** The fields for codes of second factors, and what is said of a wrong one. */
import type { Html } from '../../core/html.js'
import type { FactorHandlers } from '../handlers/factors.js'
import { beside, type Destination, leading } from './frame.js'
import { type Fault, field } from './layout.js'

/** Which of the two a page asks for, by the name of its field. */
export type Asked = 'code' | 'recovery_code'

export const askedFor = (word: unknown): Asked => (word === 'recovery_code' ? 'recovery_code' : 'code')

/** `first`: the page begins with it. */
export function codeField(asked: Asked, fault: Fault | undefined, first = true): Html {
  const wrong = besideCode(asked, fault)
  if (asked === 'recovery_code')
    return field(
      {
        ...{ name: asked, label: 'Recovery code', type: 'text', autocomplete: 'off', maxLength: 64 },
        ...{ first, hint: 'One of the codes that you saved, 24 letters and digits.' },
      },
      wrong,
    )
  return field(
    {
      ...{ name: asked, label: 'Code', type: 'text', autocomplete: 'one-time-code', maxLength: 64 },
      ...{ first, digits: true, hint: 'The 6 digits that your authenticator app shows now.' },
    },
    wrong,
  )
}

/** A wrong code is said beside its field. */
export function besideCode(asked: Asked, fault: Fault | undefined): Fault | undefined {
  if (fault?.code !== 'wrong_code') return fault
  return beside({ ...fault, words: wrongWords[asked] }, { wrong_code: asked })
}

const wrongWords = {
  code: 'This code is wrong, has expired or was already used. Enter the one that your app shows now. If it keeps failing, check the clock of your phone.',
  recovery_code: 'This recovery code is wrong or was already used.',
}

/** Once the codes of an app are locked, a page asks for a recovery code, where there are some. */
export function afterFault(
  asked: Asked,
  fault: Fault | undefined,
  recoveryCodes: boolean,
): { readonly asked: Asked; readonly fault: Fault | undefined } {
  if (fault?.code !== 'codes_locked') return { asked, fault }
  return recoveryCodes
    ? { asked: 'recovery_code', fault: { ...fault, words: lockedWords.app } }
    : { asked, fault: { ...fault, words: lockedWords.alone } }
}

const lockedWords = {
  app: 'Too many wrong codes. The codes of your app no longer work here: enter a recovery code instead.',
  alone: 'Too many wrong codes. Ask the operator of this service for help.',
}

interface Typed {
  readonly code?: string
  readonly recovery_code?: string
}

/** Apps show their digits in groups. */
export function withoutSpaces<T extends Typed>(form: T): T {
  return form.code === undefined ? form : { ...form, code: form.code.replaceAll(' ', '') }
}

/** A user who has used a recovery code sees how many are left, and may set up their app again before they go on. */
export const afterRecoveryCode = (to: Destination | undefined) =>
  leading('/second-factors?done=recovery', to && isOfFactors(to) ? undefined : to?.address)

const isOfFactors = ({ address }: Destination) => address.startsWith('/second-factors')

export type FactorList = Awaited<ReturnType<FactorHandlers['list']>>
