import { type ChildProcess, execFileSync, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';

/** The first three bytes of all addresses: nobody outside of these namespaces sees them. */
const SUBNET = '10.77.0';
/** The other end of a host's cable has this prefix and the host's number. */
const PORT_PREFIX = 'port';

/** Why network namespaces cannot be made here; undefined where they can. */
export function whyNoNetwork(): string | undefined {
  if (process.getuid?.() !== 0) return 'network namespaces of several hosts are for root';
  const network = ['--net', 'sh', '-c'];
  const tried =
    'ip link add hub type bridge && ip link add one type veth peer name other && ip link set one master hub';
  try {
    execFileSync('unshare', [...network, tried], { stdio: 'pipe' });
    return undefined;
  } catch (error) {
    const { code, stderr } = error as { code?: string; stderr?: Buffer };
    const why = code === 'ENOENT' ? 'there is no unshare' : (stderr?.toString().trim() ?? String(error));
    return `network namespaces with a bridge between them cannot be made: ${why}`;
  }
}

/** A machine as far as the network goes: a namespace with an address. */
export class Host {
  readonly address: string;
  readonly #number: number;
  readonly #network: Network;
  readonly #holder: ChildProcess;
  readonly #children: ChildProcess[] = [];

  constructor(network: Network, holder: ChildProcess, number: number) {
    this.address = `${SUBNET}.${number}`;
    this.#network = network;
    this.#holder = holder;
    this.#number = number;
  }

  /** Starts a program there. It does not outlive this process. */
  spawn(command: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...inside(this.#holder, command, args)], options);
    this.#children.push(child);
    return child;
  }

  /** Runs a command there to its end. */
  run(command: string, ...args: readonly string[]): string {
    const [program = '', ...rest] = inside(this.#holder, command, args);
    return execFileSync(program, rest, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }

  /** Pulls the plug: nothing comes in or gets out, and nobody is told. */
  cut(): void {
    this.#network.hub.run('ip', 'link', 'set', this.port, 'down');
  }

  /** Puts it back. */
  heal(): void {
    this.#network.hub.run('ip', 'link', 'set', this.port, 'up');
  }

  /** Name of the other end of its cable, at the hub. */
  get port(): string {
    return `${PORT_PREFIX}${this.#number}`;
  }

  get processId(): number {
    return this.#holder.pid ?? 0;
  }

  /** Ends what runs there, and the host. */
  async close(): Promise<void> {
    const alive = this.#children.filter(
      ({ exitCode, signalCode }) => exitCode === null && signalCode === null,
    );
    const ended = alive.map((child) => once(child, 'exit'));
    for (const child of alive) child.kill('SIGKILL');
    await Promise.all(ended);
    const gone = once(this.#holder, 'exit');
    this.#holder.stdin?.end();
    await gone;
  }
}

/**
 * Hosts that see each other and nothing else, each in a network namespace of its own. A namespace lasts as long as a
 * process that holds it, which ends when this process does, however it does that: nothing is left.
 */
export class Network {
  /** Where the cables meet. It has no address. */
  readonly hub: Host;
  readonly hosts: readonly Host[];

  private constructor(hub: ChildProcess, hosts: readonly ChildProcess[]) {
    this.hub = new Host(this, hub, 0);
    this.hosts = hosts.map((holder, index) => new Host(this, holder, index + 1));
  }

  /** A network of so many hosts, with the addresses 10.77.0.1, 10.77.0.2 and so on. */
  static async create(hostCount: number): Promise<Network> {
    const holders = await Promise.all(Array.from({ length: hostCount + 1 }, holdNamespace));
    const [hub, ...hosts] = holders as [ChildProcess, ...ChildProcess[]];
    const network = new Network(hub, hosts);
    network.hub.run('ip', 'link', 'add', 'hub', 'type', 'bridge');
    network.hub.run('ip', 'link', 'set', 'hub', 'up');
    for (const host of network.hosts) network.#plugIn(host);
    return network;
  }

  #plugIn(host: Host): void {
    const { port, address, processId } = host;
    const peer = ['peer', 'name', 'eth0', 'netns', String(processId)];
    this.hub.run('ip', 'link', 'add', port, 'type', 'veth', ...peer);
    this.hub.run('ip', 'link', 'set', port, 'master', 'hub', 'up');
    host.run('ip', 'link', 'set', 'lo', 'up');
    host.run('ip', 'address', 'add', `${address}/24`, 'dev', 'eth0');
    host.run('ip', 'link', 'set', 'eth0', 'up');
  }

  async close(): Promise<void> {
    await Promise.all([...this.hosts, this.hub].map((host) => host.close()));
  }
}

/** A process in a namespace of its own, which ends with its standard input. */
async function holdNamespace(): Promise<ChildProcess> {
  const holder = spawn('unshare', ['--net', 'sh', '-c', 'echo; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  // It has its namespace when it speaks.
  await once(holder.stdout, 'data');
  return holder;
}

function inside(holder: ChildProcess, command: string, args: readonly string[]): string[] {
  return ['nsenter', '--target', String(holder.pid), '--net', command, ...args];
}
