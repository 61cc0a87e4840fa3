import { type FuzzReport, shareAccepted } from './fuzzer.js';

/** One line for each stage, with the share of inputs that got there and no further. */
export function describeReport(report: FuzzReport): string {
  const { target, seed, inputs, elapsedMs, outcomes } = report;
  const perSecond = Math.round(inputs / (elapsedMs / 1000));
  const lines = [...outcomes].map(
    ([stage, count]) => `  ${stage.padEnd(26)} ${inNumber(count).padStart(12)}  ${percent(count / inputs)}`,
  );
  return [
    `${target}: ${inNumber(inputs)} inputs, seed ${seed}, ${(elapsedMs / 1000).toFixed(1)} s, ${inNumber(perSecond)} a second; ` +
      `${percent(shareAccepted(report)).trim()} got past the first validator`,
    ...lines,
  ].join('\n');
}

function inNumber(count: number): string {
  return count.toLocaleString('en');
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)}%`.padStart(6);
}
