import { isIPv6 } from 'node:net';
import { RateLimit } from '@farjit/protocol';

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
  constructor(limit: number, nowMs: () => number = () => performance.now()) {
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

/** An IPv4 address, also one that IPv6 wraps, or the /64 network of an IPv6 address. */
export function networkOf(address: string): string {
  const [, wrapped] = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address) ?? [];
  if (wrapped !== undefined) return wrapped;
  const [plain = ''] = address.split('%');
  if (!isIPv6(plain)) return address;
  const [head = '', tail] = plain.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? [] : Array(Math.max(0, 8 - before.length - after.length)).fill('0');
  const groups = [...before, ...zeros, ...after].slice(0, NETWORK_GROUPS);
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':')}::/64`;
}
