/** Listening: an address that is taken or not ours is refused with its remedy. */
import type { FastifyInstance } from 'fastify'
import { StartRefused } from '../core/errors.js'
import type { ListenAddress } from './config.js'

/** `setting` is where the address comes from. */
export async function listenOn(
  app: FastifyInstance,
  { host, port }: ListenAddress,
  setting: string,
): Promise<string> {
  try {
    return await app.listen({ host, port })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code !== 'EADDRINUSE' && code !== 'EADDRNOTAVAIL' && code !== 'EACCES' && code !== 'ENOTFOUND')
      throw error
    throw new StartRefused([
      `cannot listen on ${host}:${port} (${message}): free it, or set ${setting} to another address`,
    ])
  }
}
