/** A real nginx before the service: with buffering on, as it comes, or as the cache of a CDN. */
import { spawn, spawnSync } from 'node:child_process'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { freePort } from './free-port.js'
import { eventually } from './service.js'

const binary = ['/usr/sbin/nginx', 'nginx'].find(name => spawnSync(name, ['-v']).status === 0)
if (!binary && process.env.CI) throw new Error('CI needs nginx')

/** For tap's `skip`: says why on a laptop without nginx. */
export const skipWithoutNginx = binary === undefined && 'nginx is not installed'

export interface NginxOptions {
  /** Seconds for which it answers from memory, whatever the service says. Undefined: it caches nothing. */
  readonly cacheSeconds?: number
}

/** Answers its address. */
export async function nginx(t: Test, service: string, { cacheSeconds }: NginxOptions = {}): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'mintmark-nginx-'))
  await chmod(folder, 0o755)
  const port = await freePort()
  const cached = cacheSeconds !== undefined
  const cache = `proxy_cache feed; proxy_cache_valid 200 ${cacheSeconds}s;
    proxy_ignore_headers Cache-Control Expires Set-Cookie; proxy_cache_lock on;`
  const file = join(folder, 'nginx.conf')
  await writeFile(
    file,
    `daemon off; pid ${folder}/pid; error_log stderr; ${process.getuid?.() === 0 ? 'user root;' : ''}
events {}
http {
  access_log off;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/f;
  uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  ${cached ? `proxy_cache_path ${folder}/cache keys_zone=feed:1m;` : ''}
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass ${service};
      proxy_buffering on;
      ${cached ? cache : ''}
    }
  }
}`,
  )
  const child = spawn(binary ?? 'nginx', ['-c', file, '-p', folder], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', text => {
    said += text
  })
  const ended = new Promise<void>(resolve => child.once('close', () => resolve()))
  t.teardown(async () => {
    child.kill('SIGTERM')
    await ended
    await rm(folder, { recursive: true })
  })
  const url = `http://127.0.0.1:${port}`
  await eventually(async () => {
    if (child.exitCode !== null) throw new Error(`nginx ended: ${said}`)
    return fetch(`${url}/.well-known/jwks.json`).then(
      () => true,
      () => undefined,
    )
  }, 20)
  return url
}
