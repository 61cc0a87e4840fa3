import test from 'ava';
import { CommanderError } from 'commander';
import { completedProgram } from '../../src/cli/program.js';
import type { Report } from '../../src/cli/report.js';

/** Words of a command line in which an option would be ignored, and why; or why there is none. */
type Refused = readonly [commandLine: string, words: RegExp];
type Entry = readonly Refused[] | 'always of use';

const ELSEWHERE = /is for an executor elsewhere: give --executor$/;
const WSS = /is for an executor at wss:\/\/$/;
const LOCAL = /cannot be used with option '--executor <url>'$/;
const FOR_MAIN = /is for programs that begin with main, and this one is Kaleidoscope$/;
const FOR_C = /is for C and C\+\+, and no file is$/;
const COMPILED = /is for what has to be compiled, and all files have been$/;

function access(command: string): Record<string, Entry> {
  return {
    '--token-file': [[`${command} --token-file=t`, ELSEWHERE]],
    '--tls-ca': [
      [`${command} --tls-ca=c`, ELSEWHERE],
      [`${command} --executor=ws://h:1 --tls-ca=c`, WSS],
    ],
    '--tls-cert': [
      [`${command} --tls-cert=c --tls-key=k`, ELSEWHERE],
      [`${command} --executor=ws+unix:/x --tls-cert=c --tls-key=k`, WSS],
      [`${command} --executor=wss://h:1 --tls-cert=c`, /goes with --tls-key$/],
    ],
    '--tls-key': [
      [`${command} --tls-key=k`, ELSEWHERE],
      [`${command} --executor=ws://h:1 --tls-key=k`, WSS],
      [`${command} --executor=wss://h:1 --tls-key=k`, /goes with --tls-cert$/],
    ],
    '--executor-owner': [
      [`${command} --executor-owner=1`, ELSEWHERE],
      [`${command} --executor=wss://h:1 --executor-owner=1`, /is for an executor at ws\+unix:$/],
    ],
  };
}

function confinement(command: string): Record<string, Entry> {
  return {
    '--sandbox': [[`${command} --executor=ws://h:1 --sandbox=strict`, LOCAL]],
    '--limit': [[`${command} --executor=ws://h:1 --limit=cpu=1`, LOCAL]],
    '--preload': [[`${command} --executor=ws://h:1 --preload=x`, LOCAL]],
    '--sandbox-required': 'always of use',
  };
}

function compilation(command: string, hasFiles: boolean): Record<string, Entry> {
  const ofFiles = (option: string): Entry =>
    hasFiles ? [[`${command.replace('a.ks', 'a.o b.a')} ${option}`, COMPILED]] : 'always of use';
  return {
    '--opt-level': ofFiles('-O2'),
    '--baseline': [
      [`${command} -O2 --baseline=on`, /makes first code, and -O leaves all of it to LLVM$/],
      ...(hasFiles
        ? [
            [
              `${command.replace('a.ks', 'a.c')} --baseline=on`,
              /is for Kaleidoscope, and no file is$/,
            ] as const,
          ]
        : []),
    ],
    '--codegen-processes': ofFiles('--codegen-processes=1'),
    '--codegen-limit': ofFiles('--codegen-limit=1'),
    '--cache-dir': [
      [`${command} --no-cache --cache-dir=d`, /'--cache-dir <dir>' cannot be used with option '--no-cache'$/],
      ...(hasFiles ? [[`${command.replace('a.ks', 'a.o')} --cache-dir=d`, COMPILED] as const] : []),
    ],
    '--no-cache': 'always of use',
    '--object-store': [
      [
        `${command} --object-store=executor --object-store-key=k`,
        /finds nothing at an executor of its own: give --executor, or a directory$/,
      ],
      [`${command} --object-store=d`, /needs --object-store-key: a file of 32 characters or more/],
      [
        `${command} --no-cache --object-store=d --object-store-key=k`,
        /'--object-store <dir>' cannot be used with option '--no-cache'$/,
      ],
      ...(hasFiles
        ? [[`${command.replace('a.ks', 'a.o')} --object-store=d --object-store-key=k`, COMPILED] as const]
        : []),
    ],
    '--object-store-key': [[`${command} --object-store-key=k`, /goes with --object-store$/]],
  };
}

function linking(command: string): Record<string, Entry> {
  return {
    '--cc': [
      [`${command} --cc=clang`, FOR_C],
      [`${command} a.ll --cc=clang`, FOR_C],
    ],
    '--cflags': [[`${command} b.o --cflags=-Wall`, FOR_C]],
    '--library': [[`${command} -lz`, FOR_MAIN]],
    '--library-path': [
      [`${command} -Ld`, /says where --library is: give that$/],
      [`${command} b.o -Ld`, /says where --library is: give that$/],
    ],
  };
}

const OPTIONS: Readonly<Record<string, Readonly<Record<string, Entry>>>> = {
  run: {
    '--eval': 'always of use',
    '--deadline': 'always of use',
    '--env': [
      ['run a.ks --env A=1', FOR_MAIN],
      ['run a.ks b.c --env A=1', FOR_MAIN],
      ['run -e 1 --env A=1', FOR_MAIN],
    ],
    '--entry': [['run a.ks --entry f', FOR_MAIN]],
    '--file': [['run a.ks --file a:/a', FOR_MAIN]],
    '--dir': [['run a.ks --dir a:/a:rw', FOR_MAIN]],
    '--eager': [['run - --eager', FOR_MAIN]],
    '--report': [['run - --report=json', FOR_MAIN]],
    '--trace': 'always of use',
    '--record': 'always of use',
    '--record-passes': [['run - --record-passes=f', /goes with --record$/]],
    ...compilation('run a.ks', true),
    '--speculate': [
      ['run a.c --eager --speculate=auto', /has nothing to guess: with --eager all is compiled/],
    ],
    '--speculate-order': [
      ['run a.ks --speculate=off --speculate-order=f', /has guesses in it, and --speculate=off makes none$/],
      ['run a.c --speculate-order=f', /is for Kaleidoscope, and no file is$/],
    ],
    '--record-calls': [['run a.c --record-calls=f', /is for Kaleidoscope, and no file is$/]],
    ...linking('run a.ks'),
    '--executor': 'always of use',
    ...access('run a.ks'),
    ...confinement('run a.ks'),
    '--stats': 'always of use',
    '--print': [
      ['run a.c --print=shortest', /is for Kaleidoscope, and no file is$/],
      ['run a.ks --json --print=shortest', /cannot be used with option '--json'$/],
    ],
    '--json': 'always of use',
  },
  repl: {
    ...compilation('repl', false),
    '--speculate': 'always of use',
    '--executor': 'always of use',
    '--print': [['repl --json --print=printf', /cannot be used with option '--json'$/]],
    ...access('repl'),
    ...confinement('repl'),
    '--json': 'always of use',
  },
  map: {
    '--input': 'always of use',
    '--output': 'always of use',
    '--chunk': 'always of use',
    '--deadline': 'always of use',
    ...compilation('map f a.ks --input=a.csv', true),
    ...linking('map f a.ks --input=a.csv'),
    '--executor': 'always of use',
    '--executors-local': 'always of use',
    ...access('map f a.ks --input=a.csv'),
    ...confinement('map f a.ks --input=a.csv'),
    '--stats': 'always of use',
    '--json': 'always of use',
  },
  cache: {},
  recording: {
    '--json': 'always of use',
    '--csv': 'always of use',
    '--artefact': 'always of use',
    '--passes': 'always of use',
  },
  doctor: { '--json': 'always of use' },
};

/** What is said of a command line that is refused, before anything has begun. */
async function refusalOf(commandLine: string): Promise<Report> {
  let said: Report | undefined;
  const program = completedProgram({
    rest: [],
    setExitCode: () => {},
    report: (report) => {
      said ??= report;
    },
  });
  try {
    await program.parseAsync(commandLine.split(' '), { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
  }
  if (!said) throw new Error(`${commandLine} was not refused`);
  return said;
}

const program = completedProgram({ rest: [], setExitCode: () => {}, report: () => {} });
for (const command of program.commands)
  test(`of each option of ${command.name()} it is known when it would be ignored`, (t) => {
    const names = command.options.map(({ long }) => long);
    t.deepEqual(Object.keys(OPTIONS[command.name()] ?? {}).sort(), names.sort());
  });

for (const [command, options] of Object.entries(OPTIONS))
  for (const [name, entry] of Object.entries(options))
    if (entry !== 'always of use')
      for (const [commandLine, words] of entry)
        test(`farjit ${commandLine} is refused: ${command} would ignore ${name}`, async (t) => {
          const { level, code, message } = await refusalOf(commandLine);
          t.deepEqual([level, code], ['error', 'USAGE']);
          t.regex(message, words);
          t.regex(message, new RegExp(`^option '[^']*${name}\\b`));
        });

test.serial('a variable that another command needs is no mistake', async (t) => {
  process.env.FARJIT_TLS_CA = 'ca.pem';
  t.teardown(() => {
    delete process.env.FARJIT_TLS_CA;
  });
  const { message } = await refusalOf('run a.ks --env A=1');
  t.regex(message, /--env/);
});
