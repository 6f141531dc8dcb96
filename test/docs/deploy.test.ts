/** The image's recipe, compose.yaml and the Kubernetes example say nothing that the service would refuse. */
import { readFileSync } from 'node:fs'
import { test } from 'tap'
import { parse, parseAllDocuments } from 'yaml'
import { hashingWithin } from '../../src/accounts/password-hash.js'
import { parseConfig } from '../../src/boot/config.js'
import { rootUrl } from '../support/project.mjs'

type Settings = Record<string, string>
/** What is looked at below, of a parsed file. */
// biome-ignore lint/suspicious/noExplicitAny: the shape of these files is not ours
type Parsed = any

const read = (path: string) => readFileSync(new URL(path, rootUrl), 'utf8')

const dockerfile = read('Dockerfile')
  .replaceAll(/^#.*\n/gm, '')
  .replaceAll('\\\n', '')
/** The last one of the last stage counts. */
const instructions = (name: string) =>
  [...dockerfile.matchAll(new RegExp(`^${name} +(.+)$`, 'gm'))].map(match => match[1] ?? '')
const imageSettings: Settings = Object.fromEntries(
  instructions('ENV')
    .flatMap(line => line.trim().split(/ +/))
    .map(pair => pair.split('=') as [string, string]),
)

const compose: Parsed = parse(read('compose.yaml'), { merge: true })
const ours: [string, Parsed][] = Object.entries<Parsed>(compose.services).filter(([, { build }]) => build)

// In the version that Kubernetes reads, 0440 is octal.
const documents = parseAllDocuments(read('deploy/kubernetes.yaml'), { version: '1.1' })
const resources: Parsed[] = documents.map(document => document.toJS())
const only = (kind: string): Parsed => resources.find(resource => resource.kind === kind)
const [job, deployment] = [only('Job'), only('Deployment')].map(({ spec }) => spec.template.spec)
const [migrate, service] = [job.containers[0], deployment.containers[0]]

/** Addresses that hold passwords are in no file: these have their form. */
const secrets: Settings = {
  DATABASE_URL: 'postgres://mintmark:password@db.internal:5432/mintmark',
  MINTMARK_OWNER_DATABASE_URL: 'postgres://owner:password@db.internal:5432/mintmark',
  REDIS_URL: 'redis://:password@redis.internal:6379',
  SMTP_URL: 'smtps://mintmark:password@smtp.example.com:465',
}
const inPod = (container: Parsed): Settings =>
  Object.fromEntries(container.env.map(({ name, value }: Parsed) => [name, value ?? secrets[name]]))

/** Every name that the configuration asks its environment for. */
function known(): Set<string> {
  const asked = new Set<string>()
  parseConfig(new Proxy({}, { get: (_, name) => void asked.add(String(name)) }))
  return asked
}

const environments: [string, Settings][] = [
  ...ours
    .filter(([name]) => name !== 'make-key')
    .map(([name, { environment }]): [string, Settings] => [`compose.yaml: ${name}`, environment]),
  ['kubernetes.yaml: migrate', { ...only('ConfigMap').data, ...inPod(migrate) }],
  ['kubernetes.yaml: service', { ...only('ConfigMap').data, ...inPod(service) }],
]

for (const [name, environment] of environments) {
  test(`${name} sets what the service knows, and enough to start`, async t => {
    const all = { ...imageSettings, ...environment }
    t.same(
      Object.keys(all).filter(setting => !known().has(setting)),
      [],
    )
    const config = parseConfig(all)
    t.ok('url' in config.database)
    t.ok('smtpUrl' in config.mail)
    t.equal(config.listen.host, '0.0.0.0')
    t.equal(
      config.ownerUrl !== undefined,
      name.endsWith('migrate'),
      'only the migration has the owner’s login',
    )
  })
}

test('every image has a version', async t => {
  const images = [
    ...instructions('FROM')
      .map(line => line.replace(/ AS .*/, ''))
      .filter(image => image !== 'node'),
    ...Object.values<Parsed>(compose.services).map(({ image }) => image),
    migrate.image,
    service.image,
  ]
  t.ok(images.length > 6)
  for (const image of images) t.match(image, /^[^:@]+:(?!latest$)[\w.-]+$/, image)
  t.equal(migrate.image, service.image, 'the migration is that of the release')
})

test('the image runs as a numbered user who is not root, on the current major version of Node, without a shell', async t => {
  t.match(instructions('USER').at(-1), /^[1-9]\d*:[1-9]\d*$/)
  t.match(instructions('FROM')[0], /^node:24-/)
  t.same(JSON.parse(instructions('ENTRYPOINT').at(-1) ?? ''), ['node', '/app/dist/main.js'])
  t.match(instructions('HEALTHCHECK').at(-1), / CMD \["node", /)
  t.equal(imageSettings.NODE_ENV, 'production')
})

test('nothing comes into the image that its .dockerignore does not name', async t => {
  const lines = read('.dockerignore')
    .split('\n')
    .filter(line => line !== '' && !line.startsWith('#'))
  t.equal(lines[0], '*')
  t.same(lines.slice(1).sort(), [
    '!drizzle',
    '!package-lock.json',
    '!package.json',
    '!packages',
    '!public',
    '!src',
    '!tsconfig.build.json',
    '!tsconfig.json',
    'packages/*/LICENSE',
    'packages/*/dist',
    'packages/*/node_modules',
  ])
})

test('in compose.yaml nothing of ours can write its root or gain rights, and nothing is published beyond this machine', async t => {
  t.same(
    ours.map(([name]) => name),
    ['mintmark', 'migrate', 'make-key'],
  )
  for (const [name, { read_only, cap_drop, security_opt }] of ours) {
    t.same([read_only, cap_drop, security_opt], [true, ['ALL'], ['no-new-privileges:true']], name)
  }
  const services = Object.entries<Parsed>(compose.services)
  for (const [name, { ports = [] }] of services)
    for (const port of ports) t.match(port, /^127\.0\.0\.1:(?!4001:)/, name)
  for (const [name, { depends_on = {} }] of services)
    for (const [other, { condition }] of Object.entries<Parsed>(depends_on)) {
      const { healthcheck, restart } = compose.services[other]
      if (condition === 'service_healthy') t.ok(healthcheck, `${name} waits for the health of ${other}`)
      else t.equal(restart, 'no', `${name} waits for the end of ${other}`)
    }
  t.match(compose.services.mintmark.volumes, ['keys:/etc/mintmark/keys:ro'])
})

test('the Kubernetes example parses, and keeps to the restricted standard', async t => {
  t.same(
    documents.flatMap(({ errors, warnings }) => [...errors, ...warnings]),
    [],
  )
  for (const pod of [job, deployment]) {
    t.equal(pod.securityContext.runAsNonRoot, true)
    t.equal(pod.securityContext.seccompProfile.type, 'RuntimeDefault')
    t.equal(pod.automountServiceAccountToken, false)
    t.equal(pod.enableServiceLinks, false, 'MINTMARK_PORT would be an unknown setting')
  }
  for (const { securityContext } of [migrate, service]) {
    t.equal(securityContext.readOnlyRootFilesystem, true)
    t.equal(securityContext.allowPrivilegeEscalation, false)
    t.same(securityContext.capabilities, { drop: ['ALL'] })
  }
})

test('in Kubernetes the key is for the service’s group alone, where the image looks for it', async t => {
  const [uid, gid] = (instructions('USER').at(-1) ?? '').split(':').map(Number)
  t.match(deployment.securityContext, { runAsUser: uid, runAsGroup: gid, fsGroup: gid })
  const [volume] = deployment.volumes
  t.equal(volume.secret.defaultMode, 0o440)
  t.match(service.volumeMounts, [
    { name: volume.name, mountPath: imageSettings.MINTMARK_KEYS_FOLDER, readOnly: true },
  ])
})

test('in Kubernetes the memory is enough for the service and its hashes, on a host of any size', async t => {
  const [, mebibytes] = /^(\d+)Mi$/.exec(service.resources.limits.memory) ?? []
  const memoryBytes = Number(mebibytes) * 2 ** 20
  const { concurrency } = hashingWithin({ memoryBytes, processors: 1000 })
  t.ok(concurrency >= 4, 'and for some sign-ins at once')
  t.ok(192 + concurrency * 31 <= Number(mebibytes), `${concurrency} hashes`)
})

test('in Kubernetes the probes have their own port, in no Service, and Postgres away restarts nothing', async t => {
  const port = (setting: string) => Number(imageSettings[setting]?.split(':').at(-1))
  t.same(service.ports, [
    { name: 'http', containerPort: port('MINTMARK_LISTEN') },
    { name: 'probes', containerPort: port('MINTMARK_HEALTH_LISTEN') },
  ])
  t.same(service.livenessProbe.httpGet, { path: '/healthz', port: 'probes' })
  t.same(service.startupProbe.httpGet, { path: '/healthz', port: 'probes' })
  t.same(service.readinessProbe.httpGet, { path: '/readyz', port: 'probes' })
  t.same(
    only('Service').spec.ports.map(({ targetPort }: Parsed) => targetPort),
    ['http'],
  )
  const labels = only('Deployment').spec.template.metadata.labels
  t.same(only('Service').spec.selector, labels)
  t.same(only('PodDisruptionBudget').spec.selector.matchLabels, labels)
  t.same(only('NetworkPolicy').spec.podSelector.matchLabels, labels)
})
