/** Clients of a random run: devices of few people, each doing what its stream of chance says until the time is over. */
import type { Cookie, Device } from '../device.js'
import type { Entry } from '../history.js'
import type { Stage } from '../stage.js'
import type { Chance } from './prng.js'

/** Cookies of sessions that have ended, as far as their device knows: tried again now and then, to find late accepts. */
const mostGhosts = 6

type Act = (client: Client) => Promise<unknown>

const acts: readonly (readonly [number, Act])[] = [
  [30, client => client.look('check')],
  [22, client => client.look('mint')],
  [3, client => client.look('list')],
  [14, client => client.haunt()],
  [6, client => client.switchTenant()],
  [8, client => client.signOut()],
  [4, client => client.endOne()],
  [4, client => client.endOthers()],
  [2, client => client.endAll()],
  [6, client => client.stepUp()],
  [3, client => client.changePassword()],
  [4, client => client.signIn()],
]

export class Client {
  readonly device: Device
  readonly #stage: Stage
  readonly #chance: Chance
  readonly #ghosts: Cookie[] = []

  constructor(stage: Stage, device: Device, chance: Chance) {
    this.#stage = stage
    this.device = device
    this.#chance = chance
  }

  /** Often alone, sometimes as two tabs at once. */
  async live(until: number): Promise<void> {
    while (performance.now() < until) {
      if (!this.device.cookie) await this.signIn()
      else if (this.#chance.next() < 0.2) await Promise.all([this.#act(), this.#act()])
      else await this.#act()
    }
  }

  async look(how: 'check' | 'mint' | 'list', cookie = this.device.cookie): Promise<void> {
    const { device } = this
    const tenant = this.#chance.next() < 0.5 ? this.#chance.of(device.person.tenants) : undefined
    if (how === 'check') this.#judge(await device.check(this.#at(), cookie), cookie)
    else if (how === 'mint') {
      const entry = await device.mint(this.#at(), tenant, cookie)
      if (entry.outcome === 'ok' && device.token?.entry === entry) this.#stage.keep(device.token)
      this.#judge(entry, cookie)
    } else this.#judge(await device.list(this.#at(), cookie), cookie)
  }

  async haunt(): Promise<void> {
    if (this.#ghosts.length === 0) return this.look('check')
    return this.look(this.#chance.of(['check', 'mint']), this.#chance.of(this.#ghosts))
  }

  async switchTenant(): Promise<void> {
    const { cookie, person } = this.device
    const tenant = this.#chance.next() < 0.2 ? null : this.#chance.of(person.tenants)
    this.#judge(await this.device.switchTenant(this.#at(), tenant, cookie), cookie)
  }

  async signOut(): Promise<void> {
    const { cookie } = this.device
    const entry = await this.device.signOut(this.#at(), cookie)
    if (entry.outcome === 'ok') this.#bury(cookie)
  }

  async endOne(): Promise<void> {
    const { cookie, person } = this.device
    const others = this.#stage.livingDevices(person).filter(other => other !== this.device)
    const target = others.length === 0 ? cookie : this.#chance.of(others).cookie
    this.#judge(await this.device.endOne(this.#at(), target?.id ?? '', cookie), cookie)
  }

  async endOthers(): Promise<void> {
    const { cookie } = this.device
    this.#judge(await this.device.endOthers(this.#at(), cookie), cookie)
  }

  async endAll(): Promise<void> {
    const { cookie } = this.device
    const entry = await this.device.endAll(this.#at(), cookie)
    if (entry.outcome === 'ok') this.#forget(cookie)
    else this.#judge(entry, cookie)
  }

  async stepUp(): Promise<void> {
    const { cookie } = this.device
    const entry = await this.device.stepUp(this.#at(), this.#password(), cookie)
    if (entry.outcome === 'ok') this.#bury(cookie)
    else this.#judge(entry, cookie)
  }

  async changePassword(): Promise<void> {
    const { cookie } = this.device
    const to = `words of ${this.device.name} ${this.#chance.between(0, 2 ** 31)} and more`
    const entry = await this.device.changePassword(this.#at(), to, this.#password(), cookie)
    if (entry.outcome === 'ok') this.#bury(cookie)
    else this.#judge(entry, cookie)
  }

  /** Over the cookie it has, or as a new device. */
  async signIn(): Promise<void> {
    const { person, cookie } = this.device
    const password = this.#password()
    const over = this.#chance.next() < 0.5 ? cookie : undefined
    const entry = await this.device.signIn(this.#at(), password, over)
    if (entry.outcome === 'ok') {
      this.#bury(cookie)
      const place = person.passwords.indexOf(password)
      // What it replaced opens nothing any more; what came after may be set as well.
      if (place > 0) person.passwords = person.passwords.slice(place)
    } else if (entry.code === 'invalid_credentials' && person.passwords.length > 1) {
      person.passwords = person.passwords.filter(other => other !== password)
    }
  }

  #act(): Promise<unknown> {
    return this.#chance.weighted(acts)(this)
  }

  #at() {
    return this.#chance.of(this.#stage.fleet.instances)
  }

  #password(): string {
    return this.#chance.of(this.device.person.passwords)
  }

  /** A client drops its cookie over a 401 that says so, and remembers it for haunting. */
  #judge(entry: Entry, cookie: Cookie | undefined): void {
    if (entry.code === 'unauthenticated') this.#forget(cookie)
  }

  #forget(cookie: Cookie | undefined): void {
    if (this.device.cookie === cookie) this.device.cookie = undefined
    this.#bury(cookie)
  }

  #bury(cookie: Cookie | undefined): void {
    if (!cookie || this.#ghosts.includes(cookie)) return
    this.#ghosts.push(cookie)
    if (this.#ghosts.length > mostGhosts) this.#ghosts.shift()
  }
}
