import { AbortError } from '@farjit/protocol/errors';
import test from 'ava';
import type { CommandStreams } from '../../src/cli/command-streams.js';
import { reportText, type Report as SaidReport } from '../../src/cli/report.js';
import { Report } from '../../src/cli/run-on-pool.js';
import { StopRequest } from '../../src/cli/stop-request.js';
import { NoExecutorError } from '../../src/pool/pool-types.js';
import { parse } from '../frontends/kaleidoscope/parse.js';

/** What is written about three expressions. */
function reported(signal?: AbortSignal) {
  const written: string[] = [];
  const write = (where: string) => (content: string | Uint8Array) => {
    written.push(`${where} ${Buffer.from(content).toString().split('\n')[0]}`);
    return undefined;
  };
  const streams = {
    out: { write: write('out') },
    err: { write: write('err') },
    value: (number: number) => write('value')(String(number)),
    report: (report: SaidReport) => write('report')(reportText(report)),
  } as unknown as CommandStreams;
  const items = parse('1; 2; 3;').items.filter((item) => item.kind === 'expression');
  return { report: new Report(items, streams, signal ? { signal } : {}), written };
}

const value = (number: number) => ({ status: 'fulfilled' as const, value: number });
const failure = (reason: unknown) => ({ status: 'rejected' as const, reason });

test('values are written, and a failure lets the others go on', async (t) => {
  const { report, written } = reported();
  await report.result(0, value(1.5));
  await report.result(1, failure(new Error('it trapped')));
  await report.output('stdout', Buffer.from('printed'));
  await report.output('stderr', Buffer.from('complained'));
  await report.result(2, value(3));
  await report.result(3, value(4));
  t.is(report.outcome, 'failed');
  t.deepEqual(written, [
    'value 1.5',
    'report test.ks:1:4: error: internal error: Error: it trapped',
    'out printed',
    'err complained',
    'value 3',
  ]);
});

test('after the end nothing more is written', async (t) => {
  const { report, written } = reported();
  await report.result(0, failure(new NoExecutorError('nobody is left')));
  t.is(report.outcome, 'executor-gone');
  await report.result(1, value(2));
  await report.result(2, failure(new Error('it trapped')));
  t.is(report.output('stdout', Buffer.from('printed')), undefined);
  t.is(report.outcome, 'executor-gone');
  t.deepEqual(written, ['report test.ks:1:1: error: nobody is left']);
});

for (const [request, words] of [
  [StopRequest.ofSignal('SIGINT'), ['report test.ks:1:1: error: interrupted']],
  [new StopRequest(1), []],
] as const)
  test(`whoever stops it is told ${words.length === 0 ? 'nothing' : 'where'}, and the rest is not written`, async (t) => {
    const { report, written } = reported(AbortSignal.abort(request));
    await report.result(0, failure(new AbortError('cancelled', 'a reason')));
    t.is(report.outcome, 'stopped');
    await report.result(1, value(2));
    t.deepEqual(written, [...words]);
  });
