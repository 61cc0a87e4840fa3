import test from 'ava';
import { CIE, fdeOf } from '../../../../../src/frontends/kaleidoscope/baseline/x86_64/frames.js';
import { EH_FRAME_SECTION } from '../../../../../src/jitlink/eh-frame.js';
import { buildLinkGraph } from '../../../../../src/jitlink/elf/elf.js';
import { assembledObject, LLVM_MCS } from '../llvm-mc.js';

/** Of bodies, on both sides of where the distance of the epilogue takes another form. */
const BODY_BYTES = [0, 10, 62, 63, 254, 255, 65_534, 65_535, 100_000];

for (const llvmMC of LLVM_MCS)
  test(`call frame information is that of ${llvmMC}`, (t) => {
    for (const bodyBytes of BODY_BYTES) {
      const object = assembledObject(
        llvmMC,
        `.globl f
         .type f, @function
         f: .cfi_startproc
         pushq %rbp
         .cfi_def_cfa_offset 16
         .cfi_offset %rbp, -16
         movq %rsp, %rbp
         .cfi_def_cfa_register %rbp
         .fill ${bodyBytes}, 1, 0x90
         leave
         .cfi_def_cfa %rsp, 8
         retq
         .cfi_endproc
         .size f, . - f`,
      );
      const graph = buildLinkGraph(object, 'f');
      const [cie, fde] = graph.findSection(EH_FRAME_SECTION)?.blocks ?? [];
      t.deepEqual(Buffer.from(CIE).toString('hex'), Buffer.from(cie?.content ?? []).toString('hex'));
      const theirs = Buffer.from(fde?.content ?? []);
      const ours = Buffer.from(fdeOf(graph.findDefinition('f')?.block?.sizeBytes ?? 0));
      // The pointers are the linker's business.
      for (const bytes of [ours, theirs]) bytes.fill(0, 4, 12);
      t.is(ours.toString('hex'), theirs.toString('hex'), `a body of ${bodyBytes} bytes`);
    }
  });

if (LLVM_MCS.length === 0)
  test.skip('call frame information is that of llvm-mc: there is none here', (t) => t.pass());
