import { FarJITError } from '@farjit/protocol/errors';
import { CodegenPool } from '../codegen/codegen-pool.js';
import type { ModulePiece } from '../codegen/compile-input.js';
import { type KnownCompilation, passesOf } from '../codegen/compiled-again.js';
import type { PassDump } from '../codegen/pass-dumps.js';
import type { RecordedEvent } from '../observe/recording/recording-format.js';
import type { RecordingReader } from '../observe/recording/recording-reader.js';

/** A function's IR after each pass, and what there is to say of it. */
interface RecordedPasses {
  readonly passes: readonly PassDump[];
  readonly remark?: string;
}

/**
 * What each pass has made of a function: as it was recorded, or else compiled once more from what was.
 * @throws {FarJITError} when LLVM has not compiled it in that run.
 */
export async function passesIn(recording: RecordingReader, name: string): Promise<RecordedPasses> {
  const kept = recording.events.find(({ type, symbol }) => type === 'passes-recorded' && symbol === name);
  const content = kept && recording.artefact(String(kept.passes));
  if (content) return { passes: passDumpsIn(content) };
  const known = recording.events.flatMap((event) => compilationOf(event, recording));
  const target = recording.start?.target ?? { triple: '', cpuName: '', cpuFeatures: '' };
  await using codegen = new CodegenPool({ size: 1 });
  const found = await passesOf(name, known, target, codegen);
  if (!found)
    throw new FarJITError(
      'NO_PASSES',
      `LLVM has not compiled ${name} in the run that was recorded, or its module is not there`,
    );
  const { passes, llvmVersion, recordedLLVMVersion } = found;
  if (llvmVersion === recordedLLVMVersion) return { passes };
  return {
    passes,
    remark: `compiled with LLVM ${llvmVersion}, and when it was recorded with ${recordedLLVMVersion}`,
  };
}

/** Recordings may come from anywhere. @throws {FarJITError} for what is no list of dumps. */
function passDumpsIn(content: Uint8Array): PassDump[] {
  const value: unknown = JSON.parse(Buffer.from(content).toString());
  const isDump = (dump: unknown): dump is PassDump =>
    typeof dump === 'object' &&
    dump !== null &&
    ['pass', 'on', 'ir'].every((key) => typeof (dump as Record<string, unknown>)[key] === 'string');
  if (Array.isArray(value) && value.every(isDump)) return value;
  throw new FarJITError('NO_PASSES', 'what was recorded as IR after passes is something else');
}

function compilationOf(event: RecordedEvent, recording: RecordingReader): KnownCompilation[] {
  const {
    type,
    unit,
    level,
    passes,
    llvmVersion,
    inputForm,
    input: digest,
    programDefined = [],
    piece,
  } = event;
  const input = recording.artefact(String(digest));
  const isKnown =
    type === 'module-compiled' &&
    input !== undefined &&
    unit !== undefined &&
    [level, passes, llvmVersion, inputForm].every((text) => typeof text === 'string') &&
    Array.isArray(programDefined) &&
    programDefined.every((name) => typeof name === 'string');
  if (!isKnown) return [];
  return [
    {
      unit,
      level: String(level),
      passes: String(passes),
      llvmVersion: String(llvmVersion),
      inputForm: String(inputForm),
      input,
      programDefined: programDefined as string[],
      piece: pieceIn(piece),
    },
  ];
}

function pieceIn(value: unknown): ModulePiece | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { kind, asked, compiled, most } = value as Partial<ModulePiece>;
  const areNames = [asked, compiled].every(
    (names) => Array.isArray(names) && names.every((name) => typeof name === 'string'),
  );
  if (!areNames || typeof most !== 'number') return undefined;
  if (kind !== 'functions' && kind !== 'data' && kind !== 'rest') return undefined;
  return { kind, asked: asked ?? [], compiled: compiled ?? [], most };
}
