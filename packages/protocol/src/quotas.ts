import { formatLimit } from './limits.js';

/** What all sessions of one identity use together, as errors and token files name it. */
export const QUOTA_NAMES = ['sessions', 'memory', 'cpu', 'calls'] as const;
export type QuotaName = (typeof QUOTA_NAMES)[number];

/** A quota, its value (a count, bytes, or seconds in an hour) and whose it is, in words. */
export interface Quota {
  readonly name: QuotaName;
  readonly value: number;
  readonly identity: string;
}

/** A quota in words: `the quota memory=4G of token build-farm`. */
export function describeQuota(quota: Quota): string {
  return `the quota ${formatQuota(quota)} of ${quota.identity}`;
}

/** `memory=4G`, as a refused upgrade's header has it. */
export function formatQuota({ name, value }: Pick<Quota, 'name' | 'value'>): string {
  return name === 'memory' ? formatLimit({ name, value }) : `${name}=${value}`;
}
