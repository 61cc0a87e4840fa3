#!/usr/local/bin/node
'use strict';
// farjit-healthy PATH: whether the executor in this container answers /healthz or /readyz well; for health checks.
const { get } = require('node:https');

const [path = '/healthz'] = process.argv.slice(2);
// It is this very container that answers, whatever its certificate is for.
get({ host: '127.0.0.1', port: 9000, path, rejectUnauthorized: false, timeout: 2000 })
  .once('response', ({ statusCode }) => process.exit(statusCode === 200 ? 0 : 1))
  .once('timeout', () => process.exit(1))
  .once('error', () => process.exit(1));
