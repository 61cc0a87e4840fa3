import test from 'ava';
import type { CallSignature } from '../../../src/calls/call-signature.js';
import { type FoundDefinition, JITDylib } from '../../../src/core/jit-dylib.js';
import { Declarations } from '../../../src/frontends/kaleidoscope/declarations.js';
import { functionUnit, unitOf } from '../../session/units.js';
import { onlyFunction } from './parse.js';

const newDylib = () => new JITDylib('main', { mayReplace: () => true, isPlaced: () => false });

const TO_DOUBLE: CallSignature = { result: 'double', parameters: ['double', 'double'] };
const TO_INTEGER: CallSignature = { result: 'i64', parameters: ['i64'] };

test('only another number of parameters concerns callers', (t) => {
  const declarations = new Declarations(newDylib(), () => undefined);
  const { prototype } = onlyFunction('def f(x) x;');
  t.false(declarations.declare(prototype));
  t.false(declarations.declare(onlyFunction('def f(y) y + 1;').prototype));
  t.true(declarations.declare(onlyFunction('def f(x y) x + y;').prototype));
});

test('what is defined is called by its own signature: from Kaleidoscope if all are doubles', (t) => {
  const dylib = newDylib();
  dylib.define(unitOf('m', '', { functions: ['f', 'g', 'h'] }));
  const known: Record<string, CallSignature> = { f: TO_DOUBLE, g: TO_INTEGER };
  const declarations = new Declarations(dylib, ({ name }: FoundDefinition) => known[name]);
  t.deepEqual(declarations.signatureOf(dylib.ref('f')), TO_DOUBLE);
  t.deepEqual(declarations.signatureOf(dylib.ref('g')), TO_INTEGER);
  t.is(declarations.signatureOf(dylib.ref('h')), undefined);
  t.is(declarations.prototypeOf('f')?.parameters.length, 2);
  t.is(declarations.prototypeOf('g'), undefined);
  t.is(declarations.prototypeOf('h'), undefined);
});

test('a prototype says how a name is called, until it is removed from the main dylib', (t) => {
  const [dylib, other] = [newDylib(), newDylib()];
  dylib.define(functionUnit('f'));
  const declarations = new Declarations(dylib, () => undefined);
  const { prototype } = onlyFunction('def f(x) x;');
  declarations.declare(prototype);
  t.deepEqual(declarations.signatureOf(dylib.ref('f')), { result: 'double', parameters: ['double'] });
  t.is(declarations.prototypeOf('f'), prototype);
  declarations.remove(other.ref('f'));
  t.is(declarations.prototypeOf('f'), prototype);
  declarations.remove(dylib.ref('f'));
  t.is(declarations.signatureOf(dylib.ref('f')), undefined);
  t.is(declarations.prototypeOf('f'), undefined);
});

test("another dylib's definition is not called as the main one's of the name", (t) => {
  const [dylib, other] = [newDylib(), newDylib()];
  other.define(functionUnit('f'));
  const declarations = new Declarations(dylib, () => undefined);
  declarations.declare(onlyFunction('def f(x) x;').prototype);
  t.is(declarations.signatureOf(other.ref('f')), undefined);
  t.deepEqual(declarations.signatureOf(other.ref('g')), undefined);
});
