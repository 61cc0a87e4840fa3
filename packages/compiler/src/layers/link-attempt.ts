import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import { AbsoluteSymbols } from '../core/absolute-symbols.js';
import { generate, isSupplied } from '../core/definition-generator.js';
import type { FoundDefinition, JITDylib } from '../core/jit-dylib.js';
import {
  implementationName,
  type MaterializationUnit,
  type ObjectPart,
} from '../core/materialization-unit.js';
import type { Materializations } from '../core/materializations.js';
import type { IndirectStubsManager } from '../indirection/indirect-stubs-manager.js';
import { LinkError } from '../jitlink/errors.js';
import { GraphLink } from '../jitlink/link.js';
import type { LinkGraph } from '../jitlink/link-graph.js';
import { isLocal, localOfImplementation } from '../jitlink/local-names.js';
import type { IndirectStub } from '../runner/linked.js';
import type { RunnerContext } from '../runner/runner-context.js';
import type { LinkerSets } from './linker-sets.js';
import type { ObjectLinkingPlugin } from './object-linking-plugin.js';

/** Where an attempt looks around. */
export interface LinkAttemptContext {
  readonly stubs: IndirectStubsManager;
  /** In which what defines no names looks up those of others. */
  readonly mainDylib: JITDylib;
  readonly materializations: Materializations;
  readonly plugins: readonly ObjectLinkingPlugin[];
  readonly sets: LinkerSets;
  /** The dylib that a unit's names are defined in; undefined for what defines none. */
  dylibOf(unit: MaterializationUnit): JITDylib | undefined;
}

/** What a name means that a part refers to. */
export interface Meaning {
  readonly found: FoundDefinition;
  /** It may stay without a definition. */
  readonly isWeak: boolean;
  /** It is referred to as a thread-local variable. */
  readonly isThreadLocal: boolean;
  /** Of a function. */
  readonly stub: IndirectStub | undefined;
  /** It is a function that only its unit can name, and is called: its code will do where that is linked. */
  readonly isCall: boolean;
  /** It is data that a library has, too, whose copy is everybody's. */
  readonly isShared: boolean;
}

/** A part's graph, as long as what others define does not change it. */
interface PreparedGraph {
  readonly graph: GraphLink;
  /** Names that are bound to stubs, which are in the session's memory. */
  readonly near: readonly string[];
  /** Data it has a weak definition of, and whether another is taken instead. */
  readonly gaveWay: ReadonlyMap<string, boolean>;
  /** Thread-local variables that it takes to be a library's. */
  readonly inLibrary: ReadonlySet<string>;
}

/** What others have of a part's names now. */
interface Elsewhere {
  /** Whether another definition is taken instead of the part's. */
  readonly isTaken: (name: string) => boolean;
  /** Whether it is a library's thread-local variable. */
  readonly isInLibrary: (name: string) => boolean;
  /** Whether it is bound to a stub, or to another part of the same object. */
  readonly isNear: (name: string) => boolean;
}

/** A part on its way into a runner. */
export interface Member {
  readonly part: ObjectPart;
  readonly graph: GraphLink;
  /** In which its names are looked up. */
  readonly dylib: JITDylib;
  /** What the names mean that it refers to, those left out that plugins resolve. */
  readonly meanings: ReadonlyMap<string, Meaning>;
}

/** What a link cannot be done without. */
export interface Missing {
  /** Generators are asked for what they make of names, and may take for ever. */
  readonly what: 'objects' | 'addresses' | 'generators';
  get(): Promise<unknown>;
}

/**
 * What one link has come by: graphs, and the addresses of names that nobody defines. It looks around as often as something
 * was missing, and what it then says holds until somebody yields.
 */
export class LinkAttempt {
  readonly #context: LinkAttemptContext;
  readonly #runner: RunnerContext;
  readonly #graphs = new Map<ObjectPart, PreparedGraph>();
  /** As they are while nobody yields. */
  readonly #members = new Map<ObjectPart, Member>();
  /** By dylib, names that nobody defines and that have been asked for, with the addresses of those that have one. */
  readonly #generated = new Map<JITDylib, Map<string, ExecutorAddr | undefined>>();
  /** Those that were asked for, and not found, when they were referred to weakly alone. */
  readonly #askedWeakly = new Map<JITDylib, Set<string>>();

  constructor(context: LinkAttemptContext, runner: RunnerContext) {
    this.#context = context;
    this.#runner = runner;
  }

  /** Parts whose graphs plugins have been given. */
  readonly parts = new Set<ObjectPart>();

  /**
   * Parts and all parts they reach over data, without those that are linked already, and what is missing before they can be
   * linked.
   * @throws {LinkError} when an object is malformed.
   */
  lookAround(roots: readonly ObjectPart[]): { members: readonly Member[]; missing?: Missing } {
    const { stubs, materializations } = this.#context;
    const runner = this.#runner;
    const members = new Map<ObjectPart, Member>();
    const undefinedData: FoundDefinition[] = [];
    const uncompiled: MaterializationUnit[] = [];
    const unknown: Meaning[] = [];
    const absent: IndirectStub[] = [];
    const uncompared = new Set<MaterializationUnit>();
    const queue = [...roots];
    for (let part = queue.pop(); part; part = queue.pop()) {
      if (members.has(part) || runner.linked.has(part)) continue;
      const member = this.#members.get(part) ?? this.#memberOf(part);
      this.#members.set(part, member);
      members.set(part, member);
      if (!runner.knowsShared(part.unit)) uncompared.add(part.unit);
      const companions = this.#context.sets.companionsOf(part);
      queue.push(...companions.parts);
      uncompiled.push(...companions.uncompiled);
      for (const meaning of member.meanings.values()) {
        const { found, stub, isShared } = meaning;
        if (found.unit && !runner.knowsShared(found.unit)) uncompared.add(found.unit);
        if (isShared) continue;
        if (stub) {
          if (!stubs.isEmitted(stub)) absent.push(stub);
        } else if (isData(found)) {
          const data = found.unit && materializations.knownPart(found.unit, found.name);
          if (data) queue.push(data);
          else undefinedData.push(found);
        } else if (!found.unit && !this.#isKnown(meaning)) unknown.push(meaning);
      }
    }
    const group = { members: [...members.values()] };
    if (undefinedData.length + uncompiled.length > 0) {
      const get = () =>
        Promise.all([
          ...undefinedData.map(({ unit, name }) => unit && materializations.partOf(unit, name)),
          ...uncompiled.map((unit) => materializations.allPartsOf(unit)),
        ]);
      return { ...group, missing: { what: 'objects', get } };
    }
    if (unknown.length === 0 && absent.length === 0 && uncompared.size === 0) return group;
    const what = unknown.some(({ found }) => isSupplied(found.dylib)) ? 'generators' : 'addresses';
    const threadLocals = unknown.flatMap(({ found, isThreadLocal }) => (isThreadLocal ? found.name : []));
    const get = () =>
      Promise.all([
        this.#generate(unknown),
        stubs.ensureEmitted(absent),
        runner.lookupThreadLocals(threadLocals),
        ...[...uncompared].map((unit) => runner.lookupShared(unit)),
      ]);
    return { ...group, missing: { what, get } };
  }

  /** Somebody has yielded: names may mean something else. */
  lookAnew(): void {
    this.#members.clear();
  }

  /**
   * Addresses for the names that a member of a placed group refers to: the group's own definitions, stubs, linked data,
   * absolute symbols, what generators know. What plugins resolve is not among them.
   */
  addressesOf({ meanings, graph }: Member, members: readonly Member[]): Map<string, ExecutorAddr> {
    const addresses = new Map<string, ExecutorAddr>();
    // What has data cannot be linked again when code that it calls is.
    const hasData = () => graph.layouts.some(({ prot }) => prot === 'data');
    for (const [name, { found, stub, isCall, isShared }] of meanings) {
      const code =
        isCall && !hasData() ? this.#addressIn(implementationName(found.name), found, members) : undefined;
      const stubbed = stub && this.#context.stubs.stubAddress(stub);
      const address = isShared
        ? found.unit && this.#runner.sharedAddress(found.unit, found.name)
        : (code ?? stubbed ?? this.#addressOf(found, members));
      if (address !== undefined) addresses.set(name, address);
    }
    return addresses;
  }

  #addressOf(found: FoundDefinition, members: readonly Member[]): ExecutorAddr | undefined {
    const { name, unit } = found;
    if (!unit) return this.#generatedAddress(found);
    if (unit instanceof AbsoluteSymbols) return unit.addressOf(name);
    return this.#addressIn(name, found, members);
  }

  /** Where a symbol is of the part that defines a name, in the group or linked before. */
  #addressIn(
    symbol: string,
    { unit, name }: FoundDefinition,
    members: readonly Member[],
  ): ExecutorAddr | undefined {
    const part = unit && this.#context.materializations.knownPart(unit, name);
    if (!part) return undefined;
    const member = members.find((candidate) => candidate.part === part);
    return (
      member?.graph.graph.findDefinition(symbol)?.address ??
      this.#runner.linked.get(part)?.symbols.get(symbol)?.address
    );
  }

  #memberOf(part: ObjectPart): Member {
    const { unit } = part;
    const { plugins } = this.#context;
    const own = this.#context.dylibOf(unit);
    this.parts.add(part);
    const prepared = this.#graphs.get(part);
    const dylib = own ?? this.#context.mainDylib;
    const found = new Map<string, FoundDefinition>();
    const lookup = (name: string) => {
      const known = found.get(name) ?? dylib.lookup(localOfImplementation(name) ?? name);
      found.set(name, known);
      return known;
    };
    let ofPlugins: readonly string[] | undefined;
    // They say what is theirs when they have seen the graph, which is before this is asked.
    const namesOfPlugins = () => {
      ofPlugins ??= plugins.flatMap((plugin) => plugin.ownNames?.(part) ?? []);
      return ofPlugins;
    };
    const elsewhere: Elsewhere = {
      isTaken: (name) => own?.find(name) !== unit || this.#runner.isShared(unit, name),
      isInLibrary: (name) => this.#isInLibrary(dylib.lookup(name)),
      isNear: (name) => !namesOfPlugins().includes(name) && (isLocal(name) || isStubbed(lookup(name))),
    };
    const current =
      prepared && isCurrent(prepared, elsewhere) ? prepared : prepareGraph(part, plugins, elsewhere);
    this.#graphs.set(part, current);
    const { graph } = current;
    const theirs = namesOfPlugins();
    const meanings = new Map<string, Meaning>();
    for (const name of graph.externalNames)
      if (!theirs.includes(name)) meanings.set(name, this.#meaningOf(lookup(name), name, graph));
    refuseMixed(graph, meanings);
    return { part, graph, dylib, meanings };
  }

  #meaningOf(found: FoundDefinition, asked: string, { weakNames, threadLocalNames }: GraphLink): Meaning {
    const { unit, name } = found;
    return {
      found,
      isCall: localOfImplementation(asked) !== undefined,
      stub: isStubbed(found) ? this.#context.stubs.createStub(found) : undefined,
      isWeak: weakNames.has(asked),
      isThreadLocal: threadLocalNames.has(asked),
      isShared: unit !== undefined && this.#runner.isShared(unit, name),
    };
  }

  /**
   * Whether a library's thread-local variable of that name is meant: nobody defines it, those who have been asked included, or any
   * definition would do.
   */
  #isInLibrary({ unit, dylib, name }: FoundDefinition): boolean {
    if (unit) return this.#runner.isSharedThreadLocal(unit, name);
    const isAsked = this.#generated.get(dylib)?.has(name) || this.#askedWeakly.get(dylib)?.has(name);
    return isAsked === true && this.#runner.threadIndexOf(name) !== undefined;
  }

  /** Of a name that nobody defines: what generators have said by now or, where only the process can, what it has. */
  #generatedAddress({ dylib, name }: FoundDefinition): ExecutorAddr | undefined {
    const generated = this.#generated.get(dylib)?.get(name);
    return generated ?? (isSupplied(dylib) ? undefined : this.#runner.processSymbol(name));
  }

  /** Whether nothing is to be waited for over a name that nobody defines: its address is known, or nobody knows one. */
  #isKnown({ found, isWeak, isThreadLocal }: Meaning): boolean {
    const { dylib, name } = found;
    if (isThreadLocal && !this.#runner.knowsThreadLocal(name)) return false;
    const isAsked =
      this.#generated.get(dylib)?.has(name) || (isWeak && this.#askedWeakly.get(dylib)?.has(name));
    return isAsked || this.#generatedAddress(found) !== undefined;
  }

  /** Asks the generators for names that nobody defines. */
  async #generate(missing: readonly Meaning[]): Promise<void> {
    const byDylib = new Map<JITDylib, { all: Set<string>; strong: Set<string> }>();
    for (const { found, isWeak } of missing) {
      const names = byDylib.get(found.dylib) ?? { all: new Set(), strong: new Set() };
      byDylib.set(found.dylib, names);
      names.all.add(found.name);
      if (!isWeak) names.strong.add(found.name);
    }
    const askFor = async ([dylib, { all, strong }]: [
      JITDylib,
      { all: Set<string>; strong: Set<string> },
    ]) => {
      const weak = new Set([...all].filter((name) => !strong.has(name)));
      const found = await generate([...all], dylib, this.#runner, weak);
      const known = this.#generated.get(dylib) ?? new Map<string, ExecutorAddr | undefined>();
      this.#generated.set(dylib, known);
      const asked = this.#askedWeakly.get(dylib) ?? new Set();
      this.#askedWeakly.set(dylib, asked);
      for (const name of all)
        if (weak.has(name) && !found.has(name)) asked.add(name);
        else known.set(name, found.get(name));
    };
    await Promise.all([...byDylib].map(askFor));
  }
}

/**
 * Who takes a name for a thread-local variable finds it by its distance from the thread pointer, and others by its address.
 * @throws {LinkError} when that is not what it is.
 */
function refuseMixed({ graph, threadLocalNames }: GraphLink, meanings: ReadonlyMap<string, Meaning>): void {
  for (const [name, { found }] of meanings) {
    const flags = found.unit?.symbols.get(found.name);
    if (!flags || flags.threadLocal === threadLocalNames.has(name)) continue;
    const [is, wanted] = flags.threadLocal ? ['is', 'is not'] : ['is not', 'is'];
    throw new LinkError(
      'unsupported',
      { graph: graph.name, symbol: name },
      `"${name}" ${is} thread-local, and is referred to as something that ${wanted}`,
    );
  }
}

function isData({ unit, name }: FoundDefinition): boolean {
  return unit !== undefined && !unit.isFunction(name) && !(unit instanceof AbsoluteSymbols);
}

/** Whether who refers to it is bound to an indirect stub. */
function isStubbed({ unit, name }: FoundDefinition): boolean {
  return unit?.isFunction(name) === true && !(unit instanceof AbsoluteSymbols);
}

/** Makes a part's graph, without data that another's is taken instead of. */
function prepareGraph(
  part: ObjectPart,
  plugins: readonly ObjectLinkingPlugin[],
  { isTaken, isInLibrary, isNear }: Elsewhere,
): PreparedGraph {
  const { unit } = part;
  const graph = part.takeGraph();
  const { interface: defines, symbols, canYield } = unit;
  const gaveWay = new Map<string, boolean>();
  for (const symbol of canYield ? graph.symbols : []) {
    const { name, kind, scope } = symbol;
    if (kind !== 'defined' || scope === 'local') continue;
    // Whoever means a function means its stub. The body stays, for an alias, or for when it is taken again.
    if (defines.functions.has(name) || (symbols.get(name)?.linkage ?? 'strong') === 'strong') continue;
    gaveWay.set(name, isTaken(name));
    if (gaveWay.get(name)) symbol.makeExternal();
  }
  const inLibrary = new Set<string>();
  for (const symbol of graph.symbols) {
    symbol.inLibrary = symbol.kind === 'external' && symbol.threadLocal && isInLibrary(symbol.name);
    if (symbol.inLibrary) inLibrary.add(symbol.name);
  }
  const passes = {
    prePrune: [(pruned: LinkGraph) => runPasses(plugins, 'prePrune', pruned, part)],
    postPrune: [(pruned: LinkGraph) => runPasses(plugins, 'postPrune', pruned, part)],
    postFixup: [(fixed: LinkGraph) => runPasses(plugins, 'postFixup', fixed, part)],
  };
  const near: string[] = [];
  const link = new GraphLink(graph, passes, (name) => {
    const isSo = isNear(name);
    if (isSo) near.push(name);
    return isSo;
  });
  return { graph: link, near, gaveWay, inLibrary };
}

function runPasses(
  plugins: readonly ObjectLinkingPlugin[],
  when: 'prePrune' | 'postPrune' | 'postFixup',
  graph: LinkGraph,
  part: ObjectPart,
): void {
  for (const plugin of plugins) plugin[when]?.(graph, part);
}

/** Whether what gave way or was near when the graph was made would be so now, and what libraries have is still theirs alone. */
function isCurrent(
  { graph, near, gaveWay, inLibrary }: PreparedGraph,
  { isTaken, isInLibrary, isNear }: Elsewhere,
): boolean {
  return (
    near.every(isNear) &&
    [...gaveWay].every(([name, given]) => given === isTaken(name)) &&
    [...graph.threadLocalNames].every((name) => isInLibrary(name) === inLibrary.has(name))
  );
}
