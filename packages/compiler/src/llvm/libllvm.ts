import { C, cFunction, cFunctionInNewThread, openLibrary } from './c-function.js';
import { LibLLVMError } from './errors.js';
import { findLibLLVM } from './find-libllvm.js';
import { copyBytes, copyCString, exportsSymbol, type LibC, loadLibC } from './libc.js';

type Ref<Name extends string> = bigint & { readonly __ref: Name };

export type LLVMContextRef = Ref<'LLVMContextRef'>;
export type LLVMModuleRef = Ref<'LLVMModuleRef'>;
/** A function, global variable or other value of a module; lives as long as the module. */
export type LLVMValueRef = Ref<'LLVMValueRef'>;
/** Lives as long as its context. */
export type LLVMTypeRef = Ref<'LLVMTypeRef'>;
export type LLVMAttributeRef = Ref<'LLVMAttributeRef'>;
export type LLVMMemoryBufferRef = Ref<'LLVMMemoryBufferRef'>;
/** A registered target; lives as long as the library. */
export type LLVMTargetRef = Ref<'LLVMTargetRef'>;
export type LLVMTargetMachineRef = Ref<'LLVMTargetMachineRef'>;
export type LLVMTargetDataRef = Ref<'LLVMTargetDataRef'>;
export type LLVMPassBuilderOptionsRef = Ref<'LLVMPassBuilderOptionsRef'>;
/** 0 is success. */
export type LLVMErrorRef = Ref<'LLVMErrorRef'>;
export type LLVMDisasmContextRef = Ref<'LLVMDisasmContextRef'>;
/** A `char *` that the receiver disposes of as the function's comment says. */
export type CStringRef = Ref<'char *'>;
/** 0 is success where a function reports errors. */
export type LLVMBool = number;

/** `LLVMAttributeFunctionIndex`: the attribute belongs to the function itself. */
export const LLVMAttributeFunctionIndex = -1;
/** `LLVMReturnStatusAction`: the verifier neither prints nor aborts. */
export const LLVMReturnStatusAction = 2;
/** `LLVMCodeGenFileType`. */
export const LLVMCodeGenFileType = { LLVMAssemblyFile: 0, LLVMObjectFile: 1 } as const;
/** `LLVMRelocPIC`. */
export const LLVMRelocPIC = 2;
/** `LLVMCodeModelSmall`; `LLVMCodeModelJITDefault` would give the large model. */
export const LLVMCodeModelSmall = 3;

/** The back ends that FarJIT generates code with, as they are called in LLVM's initialisation functions. */
export type BackEnd = 'X86' | 'AArch64';

/** One loaded libLLVM: its C API under its own names, and what reading its results takes. */
export type LibLLVM = ReturnType<typeof bindLLVM> & {
  /** The file it was loaded from. */
  readonly path: string;
  readonly majorVersion: number;
  /** `22.1.8`; only the major version for those before 16, which do not tell. */
  readonly version: string;
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

/** Takes over an error and disposes of it. */
export function takeError(llvm: LibLLVM, error: LLVMErrorRef): string {
  const message = llvm.LLVMGetErrorMessage(error);
  const text = copyCString(llvm.libc, message);
  llvm.LLVMDisposeErrorMessage(message);
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
    LLVMDisposeModule: bind<(module: LLVMModuleRef) => void>('LLVMDisposeModule', none, pointer),
    LLVMSetModuleIdentifier: bind<(module: LLVMModuleRef, name: Buffer, length: bigint) => void>(
      'LLVMSetModuleIdentifier',
      none,
      pointer,
      bytes,
      size,
    ),
    LLVMSetTarget: bind<(module: LLVMModuleRef, triple: string) => void>(
      'LLVMSetTarget',
      none,
      pointer,
      string,
    ),
    LLVMSetModuleDataLayout: bind<(module: LLVMModuleRef, layout: LLVMTargetDataRef) => void>(
      'LLVMSetModuleDataLayout',
      none,
      pointer,
      pointer,
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
    LLVMGetFirstGlobal: bind<(module: LLVMModuleRef) => LLVMValueRef>('LLVMGetFirstGlobal', pointer, pointer),
    /** 0 after the last. */
    LLVMGetNextGlobal: bind<(global: LLVMValueRef) => LLVMValueRef>('LLVMGetNextGlobal', pointer, pointer),
    /** An `LLVMLinkage`. */
    LLVMGetLinkage: bind<(global: LLVMValueRef) => number>('LLVMGetLinkage', int, pointer),
    /** The function's or variable's own type, not the pointer's. Belongs to the context. */
    LLVMGlobalGetValueType: bind<(global: LLVMValueRef) => LLVMTypeRef>(
      'LLVMGlobalGetValueType',
      pointer,
      pointer,
    ),
    /** An `LLVMTypeKind`. */
    LLVMGetTypeKind: bind<(type: LLVMTypeRef) => number>('LLVMGetTypeKind', int, pointer),
    LLVMGetIntTypeWidth: bind<(type: LLVMTypeRef) => number>('LLVMGetIntTypeWidth', int, pointer),
    LLVMIsFunctionVarArg: bind<(type: LLVMTypeRef) => LLVMBool>('LLVMIsFunctionVarArg', int, pointer),
    LLVMGetReturnType: bind<(type: LLVMTypeRef) => LLVMTypeRef>('LLVMGetReturnType', pointer, pointer),
    LLVMCountParamTypes: bind<(type: LLVMTypeRef) => number>('LLVMCountParamTypes', int, pointer),
    /** `outTypes` has room for one pointer per parameter. */
    LLVMGetParamTypes: bind<(type: LLVMTypeRef, outTypes: Buffer) => void>(
      'LLVMGetParamTypes',
      none,
      pointer,
      bytes,
    ),
    /** The module's own bytes, not NUL-terminated; `outLength` is a `size_t`. */
    LLVMGetValueName2: bind<(value: LLVMValueRef, outLength: Buffer) => bigint>(
      'LLVMGetValueName2',
      pointer,
      pointer,
      bytes,
    ),
    /** The module's own string; empty or null without a section. */
    LLVMGetSection: bind<(global: LLVMValueRef) => bigint>('LLVMGetSection', pointer, pointer),
    /** `section` is NUL-terminated; LLVM copies it. */
    LLVMSetSection: bind<(global: LLVMValueRef, section: Buffer) => void>(
      'LLVMSetSection',
      none,
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
      for (const part of ['TargetInfo', 'Target', 'TargetMC', 'AsmPrinter', 'AsmParser', 'Disassembler'])
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
    /** The caller disposes with LLVMDisposeMessage. */
    LLVMGetDefaultTargetTriple: bind<() => CStringRef>('LLVMGetDefaultTargetTriple', pointer),
    /** The caller disposes with LLVMDisposeMessage. */
    LLVMGetHostCPUName: bind<() => CStringRef>('LLVMGetHostCPUName', pointer),
    /** The caller disposes with LLVMDisposeMessage. */
    LLVMGetHostCPUFeatures: bind<() => CStringRef>('LLVMGetHostCPUFeatures', pointer),

    /** The caller disposes with LLVMDisposePassBuilderOptions. */
    LLVMCreatePassBuilderOptions: bind<() => LLVMPassBuilderOptionsRef>(
      'LLVMCreatePassBuilderOptions',
      pointer,
    ),
    LLVMDisposePassBuilderOptions: bind<(options: LLVMPassBuilderOptionsRef) => void>(
      'LLVMDisposePassBuilderOptions',
      none,
      pointer,
    ),
    /** The caller takes over the error. */
    LLVMRunPasses: bind<RunPasses<LLVMErrorRef>>('LLVMRunPasses', pointer, pointer, string, pointer, pointer),
    /** LLVMRunPasses on libuv's thread pool. */
    LLVMRunPassesInNewThread: cFunctionInNewThread<RunPasses<Promise<LLVMErrorRef>>>(
      library,
      'LLVMRunPasses',
      pointer,
      [pointer, string, pointer, pointer],
    ),
    /** Consumes the error; the caller disposes of the message with LLVMDisposeErrorMessage. */
    LLVMGetErrorMessage: bind<(error: LLVMErrorRef) => CStringRef>('LLVMGetErrorMessage', pointer, pointer),
    LLVMDisposeErrorMessage: bind<(message: CStringRef) => void>('LLVMDisposeErrorMessage', none, pointer),

    /**
     * On success `outBuffer` is a buffer for LLVMDisposeMemoryBuffer, on failure `outMessage` a string for
     * LLVMDisposeMessage. Lowers the module's IR in place: not to be emitted twice.
     */
    LLVMTargetMachineEmitToMemoryBuffer: bind<EmitToMemoryBuffer<LLVMBool>>(
      'LLVMTargetMachineEmitToMemoryBuffer',
      int,
      pointer,
      pointer,
      int,
      bytes,
      bytes,
    ),
    /** LLVMTargetMachineEmitToMemoryBuffer on libuv's thread pool; the caller holds both `out` buffers meanwhile. */
    LLVMTargetMachineEmitToMemoryBufferInNewThread: cFunctionInNewThread<
      EmitToMemoryBuffer<Promise<LLVMBool>>
    >(library, 'LLVMTargetMachineEmitToMemoryBuffer', int, [pointer, pointer, int, bytes, bytes]),

    /** No symbol callbacks. The caller disposes with LLVMDisasmDispose; 0 when the target is unknown. */
    LLVMCreateDisasmCPUFeatures: bind<
      (
        triple: string,
        cpu: string,
        features: string,
        disInfo: 0n,
        tagType: 0,
        getOpInfo: 0n,
        symbolLookUp: 0n,
      ) => LLVMDisasmContextRef
    >('LLVMCreateDisasmCPUFeatures', pointer, string, string, string, pointer, int, pointer, pointer),
    /** The instruction's length, 0 for none; its text goes to `outText`, NUL-terminated. */
    LLVMDisasmInstruction: bind<
      (
        context: LLVMDisasmContextRef,
        code: Buffer,
        codeLength: bigint,
        address: bigint,
        outText: Buffer,
        outTextLength: bigint,
      ) => bigint
    >('LLVMDisasmInstruction', size, pointer, bytes, size, size, bytes, size),
    LLVMDisasmDispose: bind<(context: LLVMDisasmContextRef) => void>('LLVMDisasmDispose', none, pointer),
  };
}

type RunPasses<Result> = (
  module: LLVMModuleRef,
  passes: string,
  machine: LLVMTargetMachineRef,
  options: LLVMPassBuilderOptionsRef,
) => Result;

type EmitToMemoryBuffer<Result> = (
  machine: LLVMTargetMachineRef,
  module: LLVMModuleRef,
  fileType: number,
  outMessage: Buffer,
  outBuffer: Buffer,
) => Result;
