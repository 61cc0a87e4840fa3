import { C, cFunction, openLibrary } from '../ffi/c-function.js';
import { LibLLVMError } from './errors.js';
import { findLibLLVM } from './find-libllvm.js';
import { copyBytes, copyCString, exportsSymbol, type LibC, loadLibC } from './libc.js';

export type Ref<Name extends string> = bigint & { readonly __ref: Name };

export type LLVMContextRef = Ref<'LLVMContextRef'>;
export type LLVMModuleRef = Ref<'LLVMModuleRef'>;
/** A function, global variable or other value of a module; lives as long as the module. */
export type LLVMValueRef = Ref<'LLVMValueRef'>;
export type LLVMAttributeRef = Ref<'LLVMAttributeRef'>;
export type LLVMMemoryBufferRef = Ref<'LLVMMemoryBufferRef'>;
/** A registered target; lives as long as the library. */
export type LLVMTargetRef = Ref<'LLVMTargetRef'>;
export type LLVMTargetMachineRef = Ref<'LLVMTargetMachineRef'>;
export type LLVMTargetDataRef = Ref<'LLVMTargetDataRef'>;
/** A `char *` that the receiver disposes of as the function's comment says. */
export type CStringRef = Ref<'char *'>;
/** 0 is success where a function reports errors. */
export type LLVMBool = number;

/** `LLVMAttributeFunctionIndex`: the attribute belongs to the function itself. */
export const LLVMAttributeFunctionIndex = -1;
/** `LLVMReturnStatusAction`: the verifier neither prints nor aborts. */
export const LLVMReturnStatusAction = 2;
/** `LLVMRelocPIC`. */
export const LLVMRelocPIC = 2;
/** `LLVMCodeModelSmall`; `LLVMCodeModelJITDefault` would give the large model. */
export const LLVMCodeModelSmall = 3;

/** The back ends that FarJIT generates code with, as they are called in LLVM's initialisation functions. */
export type BackEnd = 'X86' | 'AArch64';

/**
 * One loaded libLLVM, for who changes modules in this process: what that takes of its C API, under its own names, and what
 * reading its results takes.
 */
export type LibLLVM = ReturnType<typeof bindLLVM> & {
  /** The file it was loaded from. */
  readonly path: string;
  readonly majorVersion: number;
  /** `22.1.8`; only the major version for those before 16, which do not tell. */
  readonly version: string;
  /** @internal */
  readonly libc: LibC;
};

/**
 * Loads the libLLVM at `path`, by default the one that `findLibLLVM` chooses. Loading the same one again is cheap and
 * gives an equal object. Main thread only: ffi-rs takes the process down when it is used in a Worker.
 * @throws {LibLLVMError} when it is not found or is no libLLVM of this machine.
 */
export function loadLibLLVM(path: string = findLibLLVM().path): LibLLVM {
  try {
    openLibrary(path);
  } catch (cause) {
    throw new LibLLVMError(
      `Cannot load libLLVM from ${path}: ${cause instanceof Error ? cause.message : cause}. Set FARJIT_LIBLLVM to the path of a libLLVM shared library for this machine.`,
      { cause },
    );
  }
  const libc = loadLibC();
  if (!exportsSymbol(libc, path, 'LLVMRunPasses')) {
    throw new LibLLVMError(
      `${path} is not a libLLVM of version 14 or later: it has no LLVMRunPasses. Set FARJIT_LIBLLVM to one that has.`,
    );
  }
  const api = bindLLVM(path);
  return { ...api, ...loadedVersion(path, libc, api.LLVMGetVersion), path, libc };
}

/**
 * Takes over a `char *` result or message and disposes of it.
 * @returns an empty string for a null pointer.
 */
export function takeMessage(llvm: LibLLVM, message: CStringRef): string {
  if (message === 0n) return '';
  const text = copyCString(llvm.libc, message);
  llvm.LLVMDisposeMessage(message);
  return text;
}

/** Takes over a memory buffer: its bytes in memory of our own, the buffer disposed of. */
export function takeMemoryBuffer(llvm: LibLLVM, buffer: LLVMMemoryBufferRef): Buffer {
  const length = Number(llvm.LLVMGetBufferSize(buffer));
  const bytes = copyBytes(llvm.libc, llvm.LLVMGetBufferStart(buffer), length);
  llvm.LLVMDisposeMemoryBuffer(buffer);
  return bytes;
}

function loadedVersion(path: string, libc: LibC, getVersion: GetVersion) {
  if (!exportsSymbol(libc, path, 'LLVMGetVersion')) {
    // Before 16 the library does not tell; only 15 had the switch for opaque pointers.
    const majorVersion = exportsSymbol(libc, path, 'LLVMContextSetOpaquePointers') ? 15 : 14;
    return { majorVersion, version: String(majorVersion) };
  }
  const [major, minor, patch] = [Buffer.alloc(4), Buffer.alloc(4), Buffer.alloc(4)];
  getVersion(major, minor, patch);
  const majorVersion = major.readUInt32LE();
  return { majorVersion, version: `${majorVersion}.${minor.readUInt32LE()}.${patch.readUInt32LE()}` };
}

type GetVersion = (major: Buffer, minor: Buffer, patch: Buffer) => void;

/** A function per C symbol. `out` parameters are `outPointer()` buffers. */
function bindLLVM(library: string) {
  const { void: none, int, pointer, size, string, bytes } = C;
  type Fn = (...args: never[]) => unknown;
  const bind = <F extends Fn>(
    name: string,
    result: Parameters<typeof cFunction>[2],
    ...parameters: Parameters<typeof cFunction>[3]
  ): F => cFunction<F>(library, name, result, parameters);

  return {
    /** Since 16; see `LibLLVM.version`. Each argument has room for an `unsigned`. */
    LLVMGetVersion: bind<GetVersion>('LLVMGetVersion', none, bytes, bytes, bytes),
    LLVMDisposeMessage: bind<(message: CStringRef) => void>('LLVMDisposeMessage', none, pointer),

    /** The caller disposes with LLVMContextDispose, after everything made in it. */
    LLVMContextCreate: bind<() => LLVMContextRef>('LLVMContextCreate', pointer),
    LLVMContextDispose: bind<(context: LLVMContextRef) => void>('LLVMContextDispose', none, pointer),

    /** Does not copy: the caller keeps `data` until after LLVMDisposeMemoryBuffer. */
    LLVMCreateMemoryBufferWithMemoryRange: bind<
      (data: Buffer, length: bigint, name: string, requiresNullTerminator: LLVMBool) => LLVMMemoryBufferRef
    >('LLVMCreateMemoryBufferWithMemoryRange', pointer, bytes, size, string, int),
    LLVMGetBufferStart: bind<(buffer: LLVMMemoryBufferRef) => bigint>('LLVMGetBufferStart', pointer, pointer),
    LLVMGetBufferSize: bind<(buffer: LLVMMemoryBufferRef) => bigint>('LLVMGetBufferSize', size, pointer),
    LLVMDisposeMemoryBuffer: bind<(buffer: LLVMMemoryBufferRef) => void>(
      'LLVMDisposeMemoryBuffer',
      none,
      pointer,
    ),

    /**
     * Reads the whole module; leaves `buffer` to the caller. On failure `outMessage` is a string for LLVMDisposeMessage.
     * Deprecated in favour of LLVMParseBitcodeInContext2, which reports to the context's diagnostic handler instead and
     * without one prints the message and exits the process.
     */
    LLVMParseBitcodeInContext: bind<
      (
        context: LLVMContextRef,
        buffer: LLVMMemoryBufferRef,
        outModule: Buffer,
        outMessage: Buffer,
      ) => LLVMBool
    >('LLVMParseBitcodeInContext', int, pointer, pointer, bytes, bytes),
    /** The caller disposes with LLVMDisposeMemoryBuffer. */
    LLVMWriteBitcodeToMemoryBuffer: bind<(module: LLVMModuleRef) => LLVMMemoryBufferRef>(
      'LLVMWriteBitcodeToMemoryBuffer',
      pointer,
      pointer,
    ),
    LLVMDisposeModule: bind<(module: LLVMModuleRef) => void>('LLVMDisposeModule', none, pointer),
    LLVMSetModuleIdentifier: bind<(module: LLVMModuleRef, name: Buffer, length: bigint) => void>(
      'LLVMSetModuleIdentifier',
      none,
      pointer,
      bytes,
      size,
    ),
    /** The caller disposes with LLVMDisposeMessage. */
    LLVMPrintModuleToString: bind<(module: LLVMModuleRef) => CStringRef>(
      'LLVMPrintModuleToString',
      pointer,
      pointer,
    ),
    /** `outMessage` is a string for LLVMDisposeMessage, also on success. */
    LLVMVerifyModule: bind<(module: LLVMModuleRef, action: number, outMessage: Buffer) => LLVMBool>(
      'LLVMVerifyModule',
      int,
      pointer,
      int,
      bytes,
    ),

    LLVMGetFirstFunction: bind<(module: LLVMModuleRef) => LLVMValueRef>(
      'LLVMGetFirstFunction',
      pointer,
      pointer,
    ),
    /** 0 after the last. */
    LLVMGetNextFunction: bind<(fn: LLVMValueRef) => LLVMValueRef>('LLVMGetNextFunction', pointer, pointer),
    LLVMIsDeclaration: bind<(global: LLVMValueRef) => LLVMBool>('LLVMIsDeclaration', int, pointer),
    /** The module's own bytes, not NUL-terminated; `outLength` is a `size_t`. */
    LLVMGetValueName2: bind<(value: LLVMValueRef, outLength: Buffer) => bigint>(
      'LLVMGetValueName2',
      pointer,
      pointer,
      bytes,
    ),

    LLVMGetEnumAttributeKindForName: bind<(name: string, length: bigint) => number>(
      'LLVMGetEnumAttributeKindForName',
      int,
      string,
      size,
    ),
    LLVMCreateEnumAttribute: bind<(context: LLVMContextRef, kind: number, value: bigint) => LLVMAttributeRef>(
      'LLVMCreateEnumAttribute',
      pointer,
      pointer,
      int,
      size,
    ),
    LLVMCreateStringAttribute: bind<
      (
        context: LLVMContextRef,
        key: string,
        keyLength: number,
        value: string,
        valueLength: number,
      ) => LLVMAttributeRef
    >('LLVMCreateStringAttribute', pointer, pointer, string, int, string, int),
    /** Replaces an attribute of the same kind. */
    LLVMAddAttributeAtIndex: bind<(fn: LLVMValueRef, index: number, attribute: LLVMAttributeRef) => void>(
      'LLVMAddAttributeAtIndex',
      none,
      pointer,
      int,
      pointer,
    ),

    /** Registers a back end; doing it again does nothing. */
    initializeBackEnd(backEnd: BackEnd): void {
      for (const part of ['TargetInfo', 'Target', 'TargetMC'])
        bind<() => void>(`LLVMInitialize${backEnd}${part}`, none)();
    },
    /** On failure `outMessage` is a string for LLVMDisposeMessage. */
    LLVMGetTargetFromTriple: bind<(triple: string, outTarget: Buffer, outMessage: Buffer) => LLVMBool>(
      'LLVMGetTargetFromTriple',
      int,
      string,
      bytes,
      bytes,
    ),
    /** The caller disposes with LLVMDisposeTargetMachine; 0 when the target has no code generator. */
    LLVMCreateTargetMachine: bind<
      (
        target: LLVMTargetRef,
        triple: string,
        cpu: string,
        features: string,
        codeGenOptLevel: number,
        relocMode: number,
        codeModel: number,
      ) => LLVMTargetMachineRef
    >('LLVMCreateTargetMachine', pointer, pointer, string, string, string, int, int, int),
    LLVMDisposeTargetMachine: bind<(machine: LLVMTargetMachineRef) => void>(
      'LLVMDisposeTargetMachine',
      none,
      pointer,
    ),
    /** The caller disposes with LLVMDisposeTargetData. */
    LLVMCreateTargetDataLayout: bind<(machine: LLVMTargetMachineRef) => LLVMTargetDataRef>(
      'LLVMCreateTargetDataLayout',
      pointer,
      pointer,
    ),
    LLVMDisposeTargetData: bind<(layout: LLVMTargetDataRef) => void>('LLVMDisposeTargetData', none, pointer),
    /** The caller disposes with LLVMDisposeMessage. */
    LLVMCopyStringRepOfTargetData: bind<(layout: LLVMTargetDataRef) => CStringRef>(
      'LLVMCopyStringRepOfTargetData',
      pointer,
      pointer,
    ),
  };
}
