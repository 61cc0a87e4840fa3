import type { StatisticsSnapshot } from '../observe/statistics.js';

/** Counts and times of several sessions together; `wallMs` is that of the longest. */
export function sumStatistics(snapshots: readonly StatisticsSnapshot[]): StatisticsSnapshot | undefined {
  const [first, ...rest] = snapshots;
  return first && rest.reduce(add, first);
}

function add(left: StatisticsSnapshot, right: StatisticsSnapshot): StatisticsSnapshot {
  const counts = Object.entries(right).map(([name, value]) => {
    const before = left[name as keyof StatisticsSnapshot];
    return [name, typeof value === 'number' && typeof before === 'number' ? value + before : value];
  });
  const roundTrips = { ...left.roundTrips };
  for (const [method, count] of Object.entries(right.roundTrips))
    roundTrips[method] = (roundTrips[method] ?? 0) + count;
  const wallMs = Math.max(left.wallMs, right.wallMs);
  return { ...(Object.fromEntries(counts) as unknown as StatisticsSnapshot), roundTrips, wallMs };
}
