import { readFileSync } from 'node:fs';

/** What `farjit --version` prints. */
export function versionText(json = false): string {
  const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return json ? `${JSON.stringify({ farjit: version, node: process.versions.node })}\n` : `${version}\n`;
}
