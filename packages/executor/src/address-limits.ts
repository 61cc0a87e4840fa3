import { isIPv6 } from 'node:net';
import { RateLimit } from '@farjit/protocol';
import { monotonicMs } from '@farjit/protocol/clock';

/** Addresses remembered at one time. Each holds at most `limit` numbers. */
export const MAX_ADDRESSES = 4096;
/** Groups of an IPv6 address that name a network: a host has all addresses of one. */
const NETWORK_GROUPS = 4;

/** So many in any one second for each remote address, in bounded memory: the address that was quiet longest is forgotten. */
export class AddressLimits {
  readonly #limit: number;
  readonly #nowMs: () => number;
  /** Least recently counted first. */
  readonly #byAddress = new Map<string, RateLimit>();

  /** @param nowMs a clock that never goes back. */
  constructor(limit: number, nowMs: () => number = monotonicMs) {
    this.#limit = limit;
    this.#nowMs = nowMs;
  }

  /** Addresses that are remembered. */
  get size(): number {
    return this.#byAddress.size;
  }

  /** Whether another one from this address would be too many now. */
  isExhausted(address: string): boolean {
    return this.#byAddress.get(networkOf(address))?.isExhausted ?? false;
  }

  /** Does not count the last one any more. */
  giveBack(address: string): void {
    this.#byAddress.get(networkOf(address))?.giveBack();
  }

  /** Counts one. */
  take(address: string): void {
    const network = networkOf(address);
    const limit = this.#byAddress.get(network) ?? new RateLimit(this.#limit, this.#nowMs);
    limit.take();
    this.#byAddress.delete(network);
    this.#byAddress.set(network, limit);
    const [oldest] = this.#byAddress.keys();
    if (this.#byAddress.size > MAX_ADDRESSES && oldest !== undefined) this.#byAddress.delete(oldest);
  }
}

/** An IPv4 address, also one that IPv6 wraps, or the /64 network of an IPv6 address. However an address is written. */
export function networkOf(address: string): string {
  const [plain = ''] = address.split('%');
  if (!isIPv6(plain)) return address;
  const groups = groupsOf(plain);
  const [high = 0, low = 0] = groups.slice(6);
  const isWrapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (isWrapped) return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.');
  const network = groups.slice(0, NETWORK_GROUPS).map((group) => group.toString(16));
  return `${network.join(':')}::/64`;
}

/** The eight numbers of an IPv6 address, of which the last two may be written as IPv4. */
function groupsOf(address: string): number[] {
  const [head = [], tail] = address
    .split('::')
    .map((part) => (part === '' ? [] : part.split(':').flatMap(numbersOf)));
  const zeros = tail ? Array<number>(8 - head.length - tail.length).fill(0) : [];
  return [...head, ...zeros, ...(tail ?? [])];
}

function numbersOf(group: string): number[] {
  if (!group.includes('.')) return [Number.parseInt(group, 16)];
  const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
  return [a * 256 + b, c * 256 + d];
}
