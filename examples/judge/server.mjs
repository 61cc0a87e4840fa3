// node examples/judge/server.mjs [PORT]: a judge over HTTP.
//   POST /submissions         a submission in JSON (see checkSubmission); answers 202 and { "id": … }
//   GET /submissions/ID       its state, and its verdict once there is one
//   GET /submissions/ID/live  a WebSocket: what has happened to it, and what happens, in JSON
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';
import { WebSocketServer } from 'ws';
import { Judge } from './judge.mjs';

const MAX_BODY_BYTES = 1024 ** 2;
/** Verdicts are kept for so many submissions. */
const MAX_KEPT = 1000;
/** Of one submission, for those who come late; its output is bounded by its limits. */
const MAX_EVENTS = 10_000;

const judge = new Judge();
/** By id; the oldest is the first. */
const submissions = new Map();

/** @throws {TypeError} for what is no submission. */
function checkSubmission({ source, language = 'c', cases, limits = {} }) {
  const isText = (value) => typeof value === 'string';
  const isCase = (one) => isText(one?.stdin) && isText(one?.stdout);
  if (!isText(source)) throw new TypeError('source is the text of a program');
  if (!['c', 'c++'].includes(language)) throw new TypeError('language is c or c++');
  if (!Array.isArray(cases) || !cases.every(isCase) || cases.length === 0)
    throw new TypeError('cases is a list of { stdin, stdout }');
  for (const name of ['timeMs', 'memoryMb', 'outputKb'])
    if (limits[name] !== undefined && !(Number.isInteger(limits[name]) && limits[name] > 0))
      throw new TypeError(`limits.${name} is a whole number`);
  if (limits.memoryMb < 16) throw new TypeError('limits.memoryMb is 16 at least');
  return { source, language, cases, limits };
}

function submit(given) {
  const submission = checkSubmission(given);
  const id = randomUUID();
  const entry = { state: 'queued', result: undefined, events: [], listeners: new Set() };
  const tell = (event) => {
    if (event.state) entry.state = event.state;
    if (entry.events.length < MAX_EVENTS) entry.events.push(event);
    for (const listener of entry.listeners) listener(event);
  };
  submissions.set(id, entry);
  for (const [old, { state }] of submissions)
    if (submissions.size > MAX_KEPT && state === 'judged') submissions.delete(old);
  judge
    .judge(submission, tell)
    .catch((error) => ({ verdict: 'judge error', message: error.message }))
    .then((result) => {
      entry.result = result;
      tell({ state: 'judged', ...result });
    });
  return id;
}

const server = createServer(async (request, response) => {
  const answer = (status, body) => {
    response.writeHead(status, { 'Content-Type': 'application/json' });
    response.end(`${JSON.stringify(body)}\n`);
  };
  const [, collection, id, ...more] = new URL(request.url ?? '', 'http://judge').pathname.split('/');
  if (collection !== 'submissions' || more.length > 0)
    return answer(404, { error: 'there is no such thing' });
  if (id === undefined) {
    if (request.method !== 'POST') return answer(405, { error: 'POST a submission' });
    if (!(Number(request.headers['content-length']) <= MAX_BODY_BYTES))
      return answer(413, { error: `a submission has at most ${MAX_BODY_BYTES} bytes, and says how many` });
    if (judge.isFull) return answer(503, { error: 'too many wait' });
    try {
      return answer(202, { id: submit(await json(request)) });
    } catch (error) {
      return answer(400, { error: error.message });
    }
  }
  const entry = submissions.get(id);
  if (!entry) return answer(404, { error: 'there is no such submission' });
  return answer(200, { id, state: entry.state, ...entry.result });
});

const sockets = new WebSocketServer({ noServer: true });
server.on('upgrade', (request, socket, head) => {
  const [, id] = /^\/submissions\/([^/]+)\/live$/.exec(request.url ?? '') ?? [];
  const entry = submissions.get(id);
  if (!entry) return socket.end('HTTP/1.1 404 Not Found\r\n\r\n');
  sockets.handleUpgrade(request, socket, head, (live) => {
    const listener = (event) => {
      live.send(JSON.stringify(event));
      if (event.state === 'judged') live.close();
    };
    live.on('error', () => {});
    live.on('close', () => entry.listeners.delete(listener));
    entry.listeners.add(listener);
    for (const event of entry.events) listener(event);
  });
});

server.listen(Number(process.argv[2] ?? 8080), '127.0.0.1');
await once(server, 'listening');
console.log(`http://127.0.0.1:${server.address().port}/submissions`);
