import test from 'ava';
import { Server } from '../src/index.js';

/** Values that an option of each name does not take. */
const WRONG: Readonly<Record<string, readonly unknown[]>> = {
  credentials: [5, null],
  tls: ['cert.pem', null],
  allowInsecureListen: ['yes', 1, null],
  proxyProtocol: ['10.0.0.1', [5], null],
  maxSessions: [Number.NaN, 0, -1, 1.5, '5', Number.POSITIVE_INFINITY, null],
  strangerTimeoutMs: [Number.NaN, 0, '5', 2 ** 31],
  metrics: ['yes', 1],
  onWarning: [5, null],
  sessionTtlMs: [Number.NaN, -1, '5', Number.POSITIVE_INFINITY],
  heartbeatMs: [Number.NaN, 0, -1, '5'],
  onRefused: [5],
  runnerPath: [5, null],
  reservation: [5, { codeBytes: -1 }, { bytes: 5 }],
  poolSize: [Number.NaN, -1, 1.5, 65],
  sandbox: ['on', null],
  limits: [5, { memory: '16M' }, { memory: -1 }, { speed: 1 }],
  preload: ['libm.so.6', [5]],
  tracerProvider: [5, null],
  probe: [5],
  abi: ['x86-64'],
  objectStoreBytes: [-1, '1M'],
  cpuFeatures: [5],
};

test('a server is not made with options that are none, which the error names', (t) => {
  for (const [name, values] of Object.entries(WRONG))
    for (const value of values)
      t.throws(
        () => new Server({ [name]: value }),
        { code: 'SETTINGS', message: new RegExp(`^options: ${name}\\b`) },
        `${name}: ${String(value)}`,
      );
  for (const options of [null, 5, [], 'options'])
    t.throws(() => new Server(options as never), { code: 'SETTINGS' }, String(options));
  t.throws(() => new Server({ maxSession: 5 } as never), {
    code: 'SETTINGS',
    message: 'options: maxSession: unknown key; did you mean maxSessions?',
  });
});
