/** Where every copy of `@opentelemetry/api` 1.x keeps what applications register. */
const REGISTRY = Symbol.for('opentelemetry.js.api.1');

/**
 * The provider of tracers that has been registered with OpenTelemetry's API in this process by now, if one has. It is
 * looked for without the API, which need not be loaded when there is none.
 */
export function registeredTracerProvider<Provider>(): Provider | undefined {
  return (globalThis as { [REGISTRY]?: { trace?: Provider } })[REGISTRY]?.trace;
}
