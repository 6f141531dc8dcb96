/** Clients made of openapi.yaml by generators of pinned versions, each beside the program that uses it. */
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../support/project.mjs'
import { built, downloads, HOME, plugin, succeeds } from './programs.js'

/** How the program is started, or what is missing to make it. */
type Client =
  | { readonly command: readonly string[]; readonly options: { readonly cwd: string } }
  | { readonly missing: string }

const document = join(root, 'openapi.yaml')
const programs = join(root, 'test/interop/clients')

/** The folder with the commands of what its list names, in an environment of its own. */
export function pythonTools(list: string): string | undefined {
  const folder = join(built, list)
  const pip = join(folder, 'bin/pip')
  const install = [
    'install',
    '--quiet',
    '--only-binary',
    ':all:',
    '--requirement',
    join(programs, `${list}.txt`),
  ]
  const there = ['python3', '/usr/bin/python3'].some(python => succeeds('', python, '-m', 'venv', folder))
  return there && downloads('', pip, ...install) ? join(folder, 'bin') : undefined
}

export function pythonClient(): Client {
  const tools = pythonTools('openapi-python-client')
  const client = join(built, 'python')
  mkdirSync(client)
  // Nothing is formatted: nobody reads it.
  writeFileSync(join(client, 'config.yaml'), 'post_hooks: []\npackage_name_override: mintmark\n')
  const made =
    tools !== undefined &&
    succeeds(
      '',
      join(tools, 'openapi-python-client'),
      ...['generate', '--path', document, '--meta', 'none', '--config', join(client, 'config.yaml')],
      ...['--output-path', join(client, 'mintmark')],
    )
  copyFileSync(join(programs, 'use_client.py'), join(client, 'use_client.py'))
  return made
    ? { command: [join(tools, 'python'), join(client, 'use_client.py')], options: { cwd: client } }
    : { missing: 'python3 with venv' }
}

const generator = '7.16.0'

export function goClient(): Client {
  const jar = join(
    HOME,
    `.m2/repository/org/openapitools/openapi-generator-cli/${generator}/openapi-generator-cli-${generator}.jar`,
  )
  const artifact = `-Dartifact=org.openapitools:openapi-generator-cli:${generator}`
  const client = join(built, 'clients')
  mkdirSync(client)
  writeFileSync(join(client, 'go.mod'), 'module clients\n\ngo 1.19\n')
  copyFileSync(join(programs, 'use_client.go'), join(client, 'main.go'))
  const made =
    (existsSync(jar) || downloads('', 'mvn', '-q', '-B', `${plugin}:get`, artifact, '-Dtransitive=false')) &&
    succeeds(
      '',
      ...(['java', '-jar', jar, 'generate', '-g', 'go', '-i', document] as const),
      ...['-o', join(client, 'mintmark'), '--additional-properties', 'packageName=mintmark,withGoMod=false'],
      ...['--global-property', 'apis,models,supportingFiles,apiTests=false,modelTests=false'],
    ) &&
    succeeds(client, 'go', 'build', '-o', join(client, 'use-client'), '.')
  return made
    ? { command: [join(client, 'use-client')], options: { cwd: client } }
    : { missing: 'go and a JDK with Maven' }
}
