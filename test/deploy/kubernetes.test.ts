import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import test from 'ava';
import { asMapping, at, type Mapping, manifestPaths, ROOT, readYaml } from './yaml-files.js';

interface Manifest {
  readonly path: string;
  readonly apiVersion: string;
  readonly kind: string;
  readonly content: Mapping;
}

const require = createRequire(import.meta.url);
const manifests: Manifest[] = manifestPaths().flatMap((path) =>
  readYaml(path).map((content) => ({
    path,
    content,
    apiVersion: String(content.apiVersion),
    kind: String(content.kind),
  })),
);

/** Where kubernetes-models has what Kubernetes' own schema says of a kind. */
function modelModule(apiVersion: string): string {
  return `kubernetes-models/${apiVersion}`;
}

/** What the schema has against a manifest: wrong types, missing fields. */
function schemaProblem({ apiVersion, kind, content }: Manifest): string | undefined {
  const Model = require(modelModule(apiVersion))[kind];
  if (!Model) return `there is no ${kind} of ${apiVersion}`;
  try {
    new Model(content).validate();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** What the compiler has against manifests as values of the types made of the schema: that finds unknown fields. */
function typeProblems(checked: readonly Manifest[]): string {
  const folder = join(ROOT, 'test/dist/deploy/manifests');
  mkdirSync(folder, { recursive: true });
  const source = checked.map(
    ({ apiVersion, kind, content }, index) =>
      `import type { I${kind} as Kind${index} } from '${modelModule(apiVersion)}';\n` +
      `export const manifest${index}: Kind${index} = ${JSON.stringify(content, undefined, 2)};\n`,
  );
  const file = join(folder, `manifests-${checked.length}.mts`);
  writeFileSync(file, source.join(''));
  try {
    const options = [
      '--noEmit',
      '--ignoreConfig',
      '--strict',
      '--skipLibCheck',
      '--types',
      'node',
      '--module',
      'nodenext',
    ];
    execFileSync(process.execPath, [join(ROOT, 'node_modules/.bin/tsc'), ...options, file], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    return '';
  } catch (error) {
    return (error as { stdout: string }).stdout;
  } finally {
    rmSync(file);
  }
}

test('every manifest is what the schema of Kubernetes says', (t) => {
  t.deepEqual(manifests.map(({ kind }) => kind).sort(), [
    ...['Deployment', 'HorizontalPodAutoscaler', 'Job', 'Namespace', 'NetworkPolicy', 'NetworkPolicy'],
    ...['NetworkPolicy', 'NetworkPolicy', 'PodDisruptionBudget', 'Secret', 'Secret', 'Service', 'Service'],
    'StatefulSet',
  ]);
  for (const manifest of manifests) t.is(schemaProblem(manifest), undefined, manifest.path);
});

test('no manifest has a field that Kubernetes does not know', (t) => {
  t.is(typeProblems(manifests), '');
});

test('a wrong type, a missing field and an unknown one are found', (t) => {
  const set = manifests.find(({ kind }) => kind === 'StatefulSet');
  if (!set) throw new Error('there is no StatefulSet');
  const spec = asMapping(set.content.spec, 'spec');
  const changed = (changes: Mapping) => ({
    ...set,
    content: { ...set.content, spec: { ...spec, ...changes } },
  });
  t.regex(schemaProblem(changed({ replicas: 'three' })) ?? '', /replicas/);
  t.regex(schemaProblem(changed({ selector: undefined })) ?? '', /selector/);
  t.regex(typeProblems([changed({ replica: 3 })]), /'"replica"' does not exist/);
});

test('every pod is confined, limited and without rights in the cluster', (t) => {
  const pods = manifests.filter(({ kind }) => ['StatefulSet', 'Deployment', 'Job'].includes(kind));
  t.is(pods.length, 3);
  for (const { path, content } of pods) {
    const pod = asMapping(at(content, 'spec', 'template', 'spec'), path);
    t.is(pod.automountServiceAccountToken, false, path);
    // FARJIT_PORT and the like would be read as options.
    t.is(pod.enableServiceLinks, false, path);
    t.is(at(pod, 'securityContext', 'runAsNonRoot'), true, path);
    t.is(at(pod, 'securityContext', 'seccompProfile', 'type'), 'RuntimeDefault', path);
    for (const container of pod.containers as Mapping[]) {
      t.is(at(container, 'securityContext', 'readOnlyRootFilesystem'), true, path);
      t.is(at(container, 'securityContext', 'allowPrivilegeEscalation'), false, path);
      t.deepEqual(at(container, 'securityContext', 'capabilities', 'drop'), ['ALL'], path);
      for (const limit of ['memory', 'cpu']) t.truthy(at(container, 'resources', 'limits', limit), path);
    }
  }
});

test('selectors find the pods they are for, and names lead somewhere', (t) => {
  const labelsOf = (kind: string, name: string) => {
    const found = manifests.find(
      ({ content, ...it }) => it.kind === kind && at(content, 'metadata', 'name') === name,
    );
    if (!found) throw new Error(`there is no ${kind} ${name}`);
    return at(found.content, 'spec', 'template', 'metadata', 'labels');
  };
  const executor = labelsOf('StatefulSet', 'executor');
  const proxy = labelsOf('Deployment', 'proxy');
  const selectors = manifests.flatMap(({ kind, content }) => {
    if (kind === 'Service') return [[at(content, 'metadata', 'name'), at(content, 'spec', 'selector')]];
    if (kind === 'PodDisruptionBudget') return [['budget', at(content, 'spec', 'selector', 'matchLabels')]];
    return [];
  });
  t.deepEqual(Object.fromEntries(selectors), { executor, farjit: proxy, budget: executor });
  const scaled = manifests.find(({ kind }) => kind === 'HorizontalPodAutoscaler');
  t.deepEqual(at(scaled?.content ?? {}, 'spec', 'scaleTargetRef'), {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    name: 'executor',
  });
});

test('the kustomization names every manifest but the templates and the example', (t) => {
  const [kustomization = {}] = readYaml('deploy/kubernetes/kustomization.yaml');
  const named = (kustomization.resources as string[]).map((name) => `deploy/kubernetes/${name}`);
  const apart = ['deploy/kubernetes/compiler-job.yaml', 'deploy/kubernetes/secret.template.yaml'];
  t.deepEqual([...named, ...apart].sort(), manifestPaths().sort());
});
