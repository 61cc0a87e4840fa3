import test from 'ava';
import { Log } from '../../src/logging/log.js';
import type { LogFormat, LogLevel } from '../../src/logging/log-options.js';

function logged(format: LogFormat, level: LogLevel = 'info') {
  const lines: string[] = [];
  const log = new Log({ level, format, sink: { write: (line) => void lines.push(line) } });
  return { log, lines, objects: () => lines.map((line) => JSON.parse(line)) };
}

test('JSON: one object a line, with level, time, event, fields and words', (t) => {
  const { log, lines, objects } = logged('json');
  log.write('listening', 'listening on ws+unix:x', { url: 'ws+unix:x', port: undefined });
  log.write('trap', 'it has trapped');
  t.true(lines.every((line) => line.endsWith('}\n')));
  const [{ time, ...first }, second] = objects();
  t.regex(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  t.deepEqual(first, {
    level: 'info',
    event: 'listening',
    url: 'ws+unix:x',
    msg: 'listening on ws+unix:x',
  });
  t.like(second, { level: 'warn', event: 'trap' });
});

test('words: what people and scripts have always read', (t) => {
  const { log, lines } = logged('pretty');
  log.write('listening', 'listening on ws+unix:x', { url: 'ws+unix:x' });
  log.write('warning', 'the sandbox is off');
  log.write('failed', 'EADDRINUSE');
  t.deepEqual(lines, [
    'farjit-executor: listening on ws+unix:x\n',
    'farjit-executor: warning: the sandbox is off\n',
    'farjit-executor: error: EADDRINUSE\n',
  ]);
});

for (const [level, count] of [
  ['debug', 4],
  ['info', 3],
  ['warn', 2],
  ['error', 1],
  ['silent', 0],
] as const)
  test(`from level ${level} on`, (t) => {
    const { log, lines } = logged('json', level);
    log.write('runner-started', 'debug');
    log.write('listening', 'info');
    log.write('trap', 'warn');
    log.write('failed', 'error');
    t.is(lines.length, count);
  });

for (const format of ['json', 'pretty'] as const)
  test(`${format}: nothing drives a terminal or ends a line, whoever chose it`, (t) => {
    const { log, lines } = logged(format);
    const hostile = 'a\u001b[2Jb\u009b1mc\u202ed\u2028e\r\n{"level":"error"}';
    log.write('session-closed', `closed: ${hostile}`, { reason: hostile });
    t.is(lines.length, 1);
    const [line = ''] = lines;
    t.notRegex(line.slice(0, -1), /[\u0000-\u001f\u007f-\u009f\u2028\u202e]/);
    t.regex(line, /\\u\{1b\}\[2J/);
  });

test('a secret that is logged by mistake does not come out', (t) => {
  const { log, lines, objects } = logged('json');
  const fields = { token: 'hunter2', secret: 'hunter2', authorization: 'Bearer hunter2', key: 'hunter2' };
  log.write('warning', 'careless', fields);
  t.notRegex(lines.join(''), /hunter2/);
  t.like(objects()[0], { token: '[redacted]', authorization: '[redacted]' });
});

test('what is for a person alone is no part of a log', (t) => {
  const json = logged('json');
  t.false(json.log.confide('clients need FARJIT_TOKEN=x'));
  t.deepEqual(json.lines, []);
  const pretty = logged('pretty', 'silent');
  t.true(pretty.log.confide('clients need FARJIT_TOKEN=x'));
  t.deepEqual(pretty.lines, ['farjit-executor: clients need FARJIT_TOKEN=x\n']);
});
