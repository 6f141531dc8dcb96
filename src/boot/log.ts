/** The way of the log out of the process: lines wait for anybody who reads them, up to a bound; more are dropped and counted. */
import { type Logger, pino } from 'pino'

/** Bytes that wait at most: some 10 000 lines. */
const mostWaitingBytes = 2 * 1024 * 1024

export interface LogOutput {
  readonly log: Logger
  /** How many lines nobody will see, so far. */
  dropped(): number
  /** Takes no more lines. Whether all that waited was written within `limitMs`; if not, it never will be. */
  close(limitMs: number): Promise<boolean>
}

export function openLog(level: string, fd: number, mostWaiting = mostWaitingBytes): LogOutput {
  // Asynchronous: a synchronous write waits for anybody who reads, and every request with it.
  const sink = pino.destination({ dest: fd, sync: false, maxLength: mostWaiting })
  const log = pino({ level }, sink)
  let dropped = 0
  let told = 0
  let readerGone = false
  const drop = () => {
    dropped++
    return false
  }
  sink.on('drop', drop)
  sink.on('drain', () => {
    if (dropped === told) return
    const lines = dropped - told
    told = dropped
    log.warn({ dropped: lines }, 'log lines were dropped: the log was not read fast enough')
  })
  // A full disk is no reason to stop serving: what could not be written waits, and is tried again with the next line.
  sink.on('error', error => {
    if ((error as NodeJS.ErrnoException).code !== 'EPIPE') return
    readerGone = true
    sink.write = drop
  })
  return {
    log,
    dropped: () => dropped,
    close: limitMs =>
      new Promise(resolve => {
        if (readerGone) return resolve(true)
        const limit = setTimeout(() => {
          // Pino flushes at the exit, and that would wait for anybody who does not read.
          sink.flushSync = () => {}
          resolve(false)
        }, limitMs)
        sink.once('close', () => {
          clearTimeout(limit)
          resolve(true)
        })
        sink.write = () => false
        sink.end()
      }),
  }
}
