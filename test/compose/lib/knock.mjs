// node knock.mjs PORT CA_FILE TOKEN COUNT [PATH]: asks the proxy on this machine for so many WebSockets (or for PATH), one after
// the other, with this token, and prints the statuses of the answers.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';

const [port, caFile, token, count, path] = process.argv.slice(2);
const ca = readFileSync(caFile, 'utf8');
const upgrade = {
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': Buffer.alloc(16).toString('base64'),
};

async function knock() {
  const headers = { Authorization: `Bearer ${token}`, ...(path === undefined ? upgrade : {}) };
  const asked = request({ host: 'localhost', family: 4, port, ca, path: path ?? '/', headers, agent: false });
  asked.end();
  const [{ statusCode }, socket] = await Promise.race([once(asked, 'response'), once(asked, 'upgrade')]);
  socket?.destroy();
  asked.destroy();
  return statusCode;
}

const statuses = [];
for (let index = 0; index < Number(count); index++) statuses.push(await knock());
process.stdout.write(`${statuses.join(' ')}\n`);
