/** The supervisor: a small shell around a program that ends the program when the service is gone, however it went. */
import { spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import type { Account } from './data-directory.js'

export interface Supervised {
  /** Of the program itself, not of its supervisor. */
  pid: number
  ended: Promise<number | null>
  /** Asks for a fast end, and for a harder one after ten seconds; `ended` tells when. */
  end(): void
  /** From now on it does not keep a service alive that has nothing else to do. */
  unref(): void
}

/**
 * The supervisor starts the program itself, so that there is no moment without a supervisor. It waits for the end of a pipe
 * whose other end only the service has: the kernel closes it, also after kill -9. It lives in a session of its own and
 * ignores the terminal's signals: the service decides the order of a shutdown. At last it removes the socket folder
 * (first argument), which Postgres has emptied if it could.
 *
 * The signal is repeated, as a program that has just been started still ignores it; SIGCONT wakes a frozen one.
 */
const script = `
trap '' HUP INT TERM
folder=$1
shift
exec 3<&0 </dev/null
"$@" >&2 3<&- &
child=$!
{
  while read -r _ <&3; do :; done
  n=0
  while [ $n -lt 200 ]; do
    if [ $n -lt 100 ]; then s=INT; elif [ $n -lt 160 ]; then s=QUIT; else s=KILL; fi
    kill -$s "$child" || break
    kill -CONT "$child"
    sleep 0.1
    n=$((n + 1))
  done
} >/dev/null 2>&1 &
watch=$!
exec 3<&-
echo "$child"
exec >&-
wait "$child"
code=$?
kill -KILL "$watch"
if [ -n "$folder" ]; then
  rm -f "$folder/.s.PGSQL.5432" "$folder/.s.PGSQL.5432.lock"
  rmdir "$folder"
fi
exit $code
`

export interface SupervisorOptions {
  account: Account | undefined
  /** The log: the file descriptor that both outputs of the program go to. */
  log: number
  socketFolder?: string
}

export async function startSupervised(command: string[], options: SupervisorOptions): Promise<Supervised> {
  const { account, log, socketFolder = '' } = options
  const supervisor = spawn('/bin/sh', ['-c', script, 'mintmark-guard', socketFolder, ...command], {
    detached: true,
    cwd: '/',
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
    stdio: ['pipe', 'pipe', log],
    ...(account && { uid: account.uid | 0, gid: account.gid | 0 }),
  })
  const { stdin, stdout } = supervisor
  if (!stdin || !stdout) throw new Error('the supervisor has no pipes')
  const ended = new Promise<number | null>(resolve => supervisor.on('exit', resolve))
  stdin.on('error', () => {})
  const pid = await new Promise<number>((resolve, reject) => {
    supervisor.on('error', reject)
    stdout.setEncoding('utf8').on('data', (text: string) => resolve(Number.parseInt(text, 10)))
    stdout.on('close', () => reject(new Error('the supervisor of Postgres ended before it started anything')))
  })
  const unref = () => {
    supervisor.unref()
    ;(stdin as Socket).unref()
  }
  const end = () => {
    supervisor.ref()
    stdin.end()
  }
  return { pid, ended, end, unref }
}
