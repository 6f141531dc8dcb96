// What a container engine would make of a service of compose.yaml, printed as bash assignments.
//
//   node .ci/plan.mjs <service> <the image's configuration, from buildah inspect> [--bare, without compose's settings]
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'

const [name, imageFile, bare] = process.argv.slice(2)
const { services } = parse(readFileSync('compose.yaml', 'utf8'), { merge: true })
const image = JSON.parse(readFileSync(imageFile, 'utf8')).Docker.config
const service = services[name]

// What .ci/image does to every container must be what the file says of this one.
if (service.read_only !== true) throw new Error(`${name} has a root that can be written`)
if (String(service.cap_drop) !== 'ALL') throw new Error(`${name} keeps capabilities`)
if (String(service.security_opt) !== 'no-new-privileges:true') throw new Error(`${name} may gain privileges`)
const unknown = (service.volumes ?? []).filter(volume => !/^keys:\/[\w/]+(:ro)?$/.test(volume))
if (unknown.length > 0 || service.tmpfs) throw new Error(`${name} has a mount that .ci/image does not make`)

const [, folder = '', mode = 'rw'] = service.volumes?.[0]?.split(':') ?? []
const settings = bare === '--bare' ? {} : (service.environment ?? {})
const [uid, gid] = (service.user ?? image.User).split(':')

const quoted = text => `'${String(text).replaceAll('$$', '$').replaceAll("'", "'\\''")}'`
const list = items => `(${items.map(quoted).join(' ')})`
console.log(`env=${list([...image.Env, ...Object.entries(settings).map(([key, value]) => `${key}=${value}`)])}
argv=${list(service.entrypoint ? [...service.entrypoint, ...(service.command ?? [])] : [...image.Entrypoint, ...(service.command ?? [])])}
check=${list(image.Healthcheck.Test.slice(1))}
uid=${quoted(uid)} gid=${quoted(gid)} workdir=${quoted(image.WorkingDir)}
capabilities=${quoted(['-all', ...(service.cap_add ?? []).map(name => `+${name.toLowerCase()}`)].join())}
keys_folder=${quoted(folder)} keys_mode=${quoted(mode)}`)
