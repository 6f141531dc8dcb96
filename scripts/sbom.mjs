/** Lists what a production installation consists of: `npm run sbom` writes sbom/cyclonedx.json and sbom/licenses.txt. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * From the lock file alone, so that it is the same on every platform. npm puts in when and by whom it was made, and
 * takes the product's name from the folder: without these the same lock file gives the same bytes. Its own `--omit dev`
 * leaves out what production and development share, so what is for development is left out here.
 */
export function listPackages(folder) {
  const options = ['--sbom-format', 'cyclonedx', '--package-lock-only', '--include', 'dev']
  const made = execFileSync('npm', ['sbom', ...options], { cwd: folder, encoding: 'utf8', stdio: 'pipe' })
  const { serialNumber, metadata, components, dependencies, ...rest } = JSON.parse(made)
  const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const wanted = inProduction(JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8')))
  const packages = sortedBy('bom-ref', components)
    .filter(found => wanted.has(found['bom-ref']))
    .map(found => ({
      ...found,
      properties: found.properties.filter(({ name }) => !/:development$/.test(name)),
    }))
  const sbom = {
    ...rest,
    metadata: { lifecycles: metadata.lifecycles, component: { ...metadata.component, name } },
    components: packages,
    dependencies: sortedBy('ref', dependencies)
      .filter(({ ref }) => wanted.has(ref) || ref === `${name}@${version}`)
      .map(({ ref, dependsOn }) => ({
        ref,
        dependsOn: [...new Set(dependsOn)].filter(on => wanted.has(on)).sort(),
      })),
  }
  const licenses = packages.map(found => `${found.name} ${found.version} ${licenseOf(found)}\n`)
  return { sbom: `${JSON.stringify(sbom, null, 2)}\n`, licenses: licenses.join('') }
}

function inProduction({ packages }) {
  const found = Object.entries(packages).filter(([path, { dev }]) => path !== '' && !dev)
  return new Set(found.map(([path, { version }]) => `${path.split('node_modules/').at(-1)}@${version}`))
}

function licenseOf({ licenses = [] }) {
  const names = licenses.map(({ license, expression }) => expression ?? license.id ?? license.name)
  return names.join(' AND ') || 'UNKNOWN'
}

/** A package that lies in two places is one here. */
function sortedBy(key, entries) {
  const byKey = new Map(entries.map(entry => [entry[key], entry]))
  return [...byKey.keys()].sort().map(value => byKey.get(value))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = fileURLToPath(new URL('../', import.meta.url))
  const { sbom, licenses } = listPackages(root)
  const folder = join(root, 'sbom')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'cyclonedx.json'), sbom)
  writeFileSync(join(folder, 'licenses.txt'), licenses)
}
