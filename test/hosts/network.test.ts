import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { eventually } from '../jit-fixture.js';
import { isAlive } from '../proc.js';
import { type Host, Network, whyNoNetwork } from './network.js';

const hosted = whyNoNetwork() === undefined ? test : test.skip;
const MODULE = fileURLToPath(new URL('./network.js', import.meta.url));

function reaches(from: Host, to: Host): boolean {
  try {
    // Refused: somebody is there.
    from.run('timeout', '1', 'bash', '-c', `exec 3<>/dev/tcp/${to.address}/9`);
    return true;
  } catch (error) {
    return String((error as { stderr: string }).stderr).includes('Connection refused');
  }
}

hosted('hosts reach each other, but not one that is cut off', async (t) => {
  const network = await Network.create(3);
  t.teardown(() => network.close());
  const [one, two, three] = network.hosts as [Host, Host, Host];
  t.deepEqual([reaches(one, two), reaches(two, three), reaches(three, one)], [true, true, true]);
  two.cut();
  t.deepEqual([reaches(one, two), reaches(two, three), reaches(three, one)], [false, false, true]);
  two.heal();
  await eventually(() => reaches(one, two), 'it is reached again');
});

hosted('nothing is left of hosts when the process that made them is killed', async (t) => {
  const script = `
    const { Network } = await import(${JSON.stringify(MODULE)});
    const { hub, hosts: [host] } = await Network.create(1);
    const program = host.spawn('sleep', ['1000']);
    console.log(JSON.stringify([hub.processId, host.processId, program.pid]));
    setInterval(() => {}, 1000);`;
  const maker = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [said] = await once(maker.stdout, 'data');
  const processes: number[] = JSON.parse(said);
  t.deepEqual(processes.map(isAlive), [true, true, true]);
  maker.kill('SIGKILL');
  await eventually(() => !processes.some(isAlive), 'all of them are gone');
  t.pass();
});
