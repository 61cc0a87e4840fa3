import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { ABOUT, SHARED_LAYOUT } from '../../packages/executor/shared-layout.mjs';
import { ROOT } from './paths.mjs';
import { ScriptError } from './report.mjs';
import { renderSharedLayout } from './shared-layout.mjs';

const PATHS = {
  header: 'packages/executor/runner/shared_layout.h',
  check: 'packages/executor/runner/shared_layout.c',
  twin: 'packages/executor/src/native/shared-layout.ts',
};

/** Writes the files that do not say what the description says, and answers their paths. */
export function writeSharedLayout() {
  const stale = staleFiles();
  for (const [path, text] of stale) writeFileSync(ROOT + path, text);
  return stale.map(([path]) => path);
}

/** @throws {ScriptError} when one of the files does not say what the description says. */
export function checkSharedLayout() {
  const paths = staleFiles().map(([path]) => path);
  if (paths.length > 0)
    throw new ScriptError(`not what packages/executor/shared-layout.mjs says: ${paths.join(', ')}`, [
      'Run: node scripts/shared-layout.mjs',
    ]);
}

function staleFiles() {
  return Object.entries(rendered()).filter(
    ([path, text]) => !existsSync(ROOT + path) || readFileSync(ROOT + path, 'utf8') !== text,
  );
}

function rendered() {
  const texts = renderSharedLayout(ABOUT, SHARED_LAYOUT);
  return Object.fromEntries(Object.entries(PATHS).map(([part, path]) => [path, texts[part]]));
}
