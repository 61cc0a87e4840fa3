import test from 'ava';
import type { CallSignature } from '../src/calls/call-signature.js';
import { Declarations } from '../src/declarations.js';
import { JITDylib } from '../src/session/jit-dylib.js';
import { onlyFunction } from './kaleidoscope/parse.js';
import { functionUnit, unitOf } from './session/units.js';

const newDylib = () => new JITDylib('main', { mayReplace: () => true, isPlaced: () => false });

const TO_DOUBLE: CallSignature = { result: 'double', parameters: ['double', 'double'] };
const TO_INTEGER: CallSignature = { result: 'i64', parameters: ['i64'] };

test('only another number of parameters concerns callers, who are those that call the name now', (t) => {
  const declarations = new Declarations(newDylib());
  const { prototype } = onlyFunction('def f(x) x;');
  t.false(declarations.declare(prototype));
  t.false(declarations.declare(onlyFunction('def f(y) y + 1;').prototype));
  const [caller, other] = [functionUnit('g', { calls: ['f'] }), functionUnit('h')];
  declarations.addFunction(caller, onlyFunction('def g(x) f(x);'));
  declarations.addFunction(other, onlyFunction('def h(x) x;'));
  t.true(declarations.declare(onlyFunction('def f(x y) x + y;').prototype));
  declarations.forget(caller);
  t.is(declarations.functionOf(caller), undefined);
});

test('a module has a name called as it defines it: from Kaleidoscope if all are doubles', (t) => {
  const dylib = newDylib();
  const module = unitOf('m', '', { functions: ['f', 'g', 'h'] });
  dylib.define(module);
  const declarations = new Declarations(dylib);
  declarations.addModule(
    module,
    new Map([
      ['f', TO_DOUBLE],
      ['g', TO_INTEGER],
    ]),
  );
  t.deepEqual(declarations.signatureOf(dylib.ref('f')), TO_DOUBLE);
  t.deepEqual(declarations.signatureOf(dylib.ref('g')), TO_INTEGER);
  t.is(declarations.signatureOf(dylib.ref('h')), undefined);
  t.is(declarations.prototypeOf('f')?.parameters.length, 2);
  t.is(declarations.prototypeOf('g'), undefined);
  t.is(declarations.prototypeOf('h'), undefined);
});

test('a function takes a name over from a module, and a name that is removed means nothing', (t) => {
  const dylib = newDylib();
  const [module, unit] = [unitOf('m', '', { functions: ['f'] }), functionUnit('f')];
  dylib.define(module);
  const declarations = new Declarations(dylib);
  declarations.addModule(module, new Map([['f', TO_INTEGER]]));
  t.deepEqual(declarations.signatureOf(dylib.ref('f')), TO_INTEGER);
  const fn = onlyFunction('def f(x) x;');
  declarations.declare(fn.prototype);
  declarations.addFunction(unit, fn);
  dylib.define(unit);
  t.deepEqual(declarations.signatureOf(dylib.ref('f')), { result: 'double', parameters: ['double'] });
  t.is(declarations.prototypeOf('f'), fn.prototype);
  declarations.remove(dylib.ref('f'));
  dylib.remove(unit);
  t.is(declarations.signatureOf(dylib.ref('f')), undefined);
  t.is(declarations.prototypeOf('f'), undefined);
});
