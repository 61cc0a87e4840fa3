import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { basename } from 'node:path';

/**
 * An npm registry on the loopback device that has packages of ours, and sends whoever asks for others to the one that is
 * configured here: so that they are installed by name, as by those who get them from a registry.
 * @param {{ name: string, tarball: string }[]} packages
 * @returns {Promise<{ url: string, close: () => void }>}
 */
export async function servePackages(packages) {
  const upstream = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).trim();
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '').slice(1);
    const found = packages.find(({ name, tarball }) => path === name || path === `-/${basename(tarball)}`);
    if (!found) return response.writeHead(302, { location: new URL(request.url ?? '', upstream).href }).end();
    if (path !== found.name) return response.end(readFileSync(found.tarball));
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(documentOf(found, `http://${request.headers.host}`)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${server.address().port}/`;
  return {
    url,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** What a registry says of a package with one version. */
function documentOf({ name, tarball }, origin) {
  const manifest = JSON.parse(
    execFileSync('tar', ['-xzOf', tarball, 'package/package.json'], { encoding: 'utf8' }),
  );
  const integrity = `sha512-${createHash('sha512').update(readFileSync(tarball)).digest('base64')}`;
  const dist = { tarball: `${origin}/-/${basename(tarball)}`, integrity };
  const { version } = manifest;
  return { name, 'dist-tags': { latest: version }, versions: { [version]: { ...manifest, dist } } };
}
