import test from 'ava';
import { ResumeSecrets } from '../src/resume-secrets.js';

test('a secret is good from when it is handed out', (t) => {
  const secrets = new ResumeSecrets();
  const first = secrets.issue();
  t.true(secrets.accepts(first));
  t.false(secrets.accepts('guessed'));
  t.false(secrets.accepts(''));
});

test('the one before stays good until the next is shown to have arrived', (t) => {
  const secrets = new ResumeSecrets();
  const first = secrets.issue();
  secrets.confirm();
  const next = secrets.issue();
  t.not(next, first);
  t.true(secrets.accepts(first));
  secrets.confirm();
  t.false(secrets.accepts(first));
  t.true(secrets.accepts(next));
});

test('taking the next one shows that it has arrived', (t) => {
  const secrets = new ResumeSecrets();
  const first = secrets.issue();
  secrets.confirm();
  const next = secrets.issue();
  t.true(secrets.accepts(next));
  t.false(secrets.accepts(first));
});

test('an answer that got lost is void once there is another', (t) => {
  const secrets = new ResumeSecrets();
  const first = secrets.issue();
  secrets.confirm();
  const lost = secrets.issue();
  const next = secrets.issue();
  t.false(secrets.accepts(lost));
  t.true(secrets.accepts(first));
  t.true(secrets.accepts(next));
});
