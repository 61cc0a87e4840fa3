import { FarJITError } from '@farjit/protocol/errors';

/**
 * A plugin has thrown while a part was linked, or gave back what it cannot. `cause` is what it has thrown.
 * @remarks Mend the plugin and the hook that the message names.
 */
export class PluginError extends FarJITError {
  /** The name of its class, or which one of several it is. */
  readonly plugin: string;
  readonly hook: string;

  constructor(
    unit: string,
    { plugin, hook }: { plugin: string; hook: string },
    why: string,
    options?: ErrorOptions,
  ) {
    super('PLUGIN', `Cannot link ${unit}: ${hook} of the plugin ${plugin} ${why}`, options);
    this.plugin = plugin;
    this.hook = hook;
  }
}
