import { AsyncLocalStorage } from 'node:async_hooks';
import { type Context, type ContextManager, context, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import test from 'ava';
import { evaluateAll, openJIT } from '../jit-fixture.js';
import { recordingProvider, trees } from './spans.js';

/** As OpenTelemetry's SDK for Node registers one. */
class AsyncContextManager implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>();

  active(): Context {
    return this.#storage.getStore() ?? ROOT_CONTEXT;
  }

  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    active: Context,
    work: F,
    thisArg?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return this.#storage.run(active, () => work.apply(thisArg as ThisParameterType<F>, args));
  }

  bind<T>(_context: Context, target: T): T {
    return target;
  }

  enable(): this {
    return this;
  }

  disable(): this {
    return this;
  }
}

test("an application's span is the parent of what it asks for, and callbacks are nobody else's", async (t) => {
  context.setGlobalContextManager(new AsyncContextManager());
  const { provider, spans } = recordingProvider();
  const tracer = provider.getTracer('application');
  // The connection is made in one span, and used in others.
  const { jit } = await tracer.startActiveSpan('set-up', async (span) => {
    const opened = await openJIT(t, { tracerProvider: provider, optLevel: 0, speculate: 'off' });
    span.end();
    return opened;
  });
  await jit.addSource('def g(x) x + 1; def f(x) g(x) * 2;');
  for (const name of ['first', 'second'])
    await tracer.startActiveSpan(name, async (span) => {
      await evaluateAll(jit, 'f(1);');
      span.end();
    });
  const expression = [['farjit.irgen __anon_expr'], ['farjit.llvm __anon_expr'], ['farjit.link __anon_expr']];
  const callback = (name: string) => [
    `farjit.reenter ${name}`,
    [`farjit.irgen ${name}`],
    [`farjit.llvm ${name}`],
    [`farjit.link ${name}`],
  ];
  // The executor is not traced, and hands on which call a callback belongs to.
  t.deepEqual(trees(spans()) as unknown, [
    ['set-up'],
    ['first', ['farjit.call __anon_expr', ...expression, callback('f'), callback('g')]],
    // Its object was kept.
    ['second', ['farjit.call __anon_expr', ['farjit.link __anon_expr']]],
  ]);
  t.is(trace.getSpan(context.active()), undefined);
});
