import * as v from 'valibot';
import { checkArgument, fits, is, isObject, listOf, nameText } from '../../core/arguments.js';
import type { FunctionAST, PrototypeAST } from './ast.js';

// A caller's own tree is looked at as far as a session needs it: what is wrong deeper is met when it is compiled.
const prototypeAST = v.object(
  { name: nameText, parameters: listOf(v.any(), 'an array of parameters') },
  'the AST of a prototype',
);
const functionAST = v.object(
  { prototype: prototypeAST, body: is((body) => typeof body === 'object' && body !== null, 'an AST') },
  'the AST of a function',
);

/** @throws {ArgumentError} for what is no prototype. */
export function checkPrototype(prototype: PrototypeAST): void {
  checkArgument(prototypeAST, prototype, 'prototype');
}

/** @throws {ArgumentError} for what is no function. */
export function checkFunction(fn: FunctionAST): void {
  // With every function of a program, and then it is mostly one.
  if (!isFunction(fn)) checkArgument(functionAST, fn, 'fn');
}

/** The same as `functionAST` says, without its words. */
function isFunction(fn: unknown): boolean {
  if (!isObject(fn) || !isObject(fn.prototype) || !isObject(fn.body)) return false;
  return fits(nameText, fn.prototype.name) && Array.isArray(fn.prototype.parameters);
}
