/** Text that has broken parsers, databases, logs and pages; each goes into every text field there is. */

export interface Hostile {
  readonly id: string
  readonly what: string
  readonly text: string
}

export const hostile: readonly Hostile[] = [
  { id: 'HT-14', what: 'a NUL', text: 'a\0b' },
  { id: 'HT-14', what: 'a NUL alone', text: '\0' },
  { id: 'HT-15', what: 'a lone high surrogate', text: 'a\ud800b' },
  { id: 'HT-15', what: 'a lone low surrogate', text: 'a\udc00b' },
  { id: 'HT-15', what: 'surrogates in the wrong order', text: '\udc00\ud800' },
  { id: 'HT-15', what: 'characters of four bytes', text: '\u{1f98a}\u{10ffff}' },
  { id: 'HT-15', what: 'composed', text: 'caf\u00e9' },
  { id: 'HT-15', what: 'decomposed', text: 'cafe\u0301' },
  { id: 'HT-15', what: 'right to left and invisible', text: '\u202etxt.exe\u200b\ufeff' },
  { id: 'HT-10', what: 'CR and LF', text: 'a\r\nBcc: b@evil.example\r\n\r\nx' },
  { id: 'HT-10', what: 'encoded CR and LF', text: 'a%0d%0aSet-Cookie:%20x=y' },
  { id: 'HT-10', what: 'a separator of lines', text: 'a\u2028b\u2029c\u0085d' },
  { id: 'HT-20', what: 'SQL', text: "'; drop table users; --" },
  { id: 'HT-20', what: 'SQL in a union', text: "x' union select epoch from service --" },
  { id: 'HT-20', what: 'a parameter of SQL', text: '$1 $2 ? :x %s' },
  { id: 'HT-20', what: 'an array of Postgres', text: '{"a","b\\\\"}' },
  { id: 'HT-20', what: 'SQL without quotes', text: '0 or 1=1' },
  { id: 'HT-22', what: 'a script', text: '"><script>alert(1)</script>' },
  { id: 'HT-22', what: 'a template', text: '{{7*7}}#{7*7}<%= 7*7 %>' },
  { id: 'LG-02', what: 'ANSI escapes', text: 'a\x1b[2J\x1b[31mroot\x07' },
  { id: 'LG-02', what: 'a breaker of JSON', text: '"}\n{"level":60,"msg":"forged"}' },
  { id: 'HT-16', what: '50 kB of one letter', text: 'a'.repeat(50_000) },
  { id: 'HT-16', what: '50 kB of dots and ats', text: '.@'.repeat(25_000) },
  { id: 'HT-16', what: '50 kB of blanks, then a letter', text: `${' '.repeat(49_999)}x` },
  { id: 'HT-16', what: '50 kB of combining marks', text: `a${'\u0301'.repeat(20_000)}` },
  {
    id: 'HT-16',
    what: 'the longest address of single letters',
    text: `${'a.'.repeat(31)}a@${'b.'.repeat(90)}cc`,
  },
  { id: 'HT-16', what: 'the longest password of punctuation', text: `${'!'.repeat(1023)}a` },
  { id: 'HT-16', what: 'the longest password of a row', text: 'qwertyuiop'.repeat(102) },
  { id: 'HT-16', what: 'the longest password of two letters', text: `${'ab'.repeat(511)}c` },
]

/** HT-12: other things than text, where text is expected. */
export const notText: readonly unknown[] = [
  null,
  true,
  0,
  -1.5,
  1e300,
  [],
  ['a@example.com'],
  [['a']],
  {},
  { toString: 'x' },
  { $ne: '' },
  { length: 5 },
]
