import type { Writable } from 'node:stream';
import { createColors } from 'picocolors';
import { wantsColors } from './colors.js';
import {
  checkBindings,
  checkCCompiler,
  checkCodegen,
  checkCPU,
  checkFFI,
  checkKernelFeatures,
  checkKernelVersion,
  checkLibLLVM,
  checkNode,
  checkPlatform,
  checkRunner,
  checkSeccomp,
  type Finding,
} from './doctor-checks.js';
import { checkClang } from './doctor-clang.js';
import { checkCodegenConfinement } from './doctor-codegen.js';
import { checkConfinement } from './doctor-runner.js';

/**
 * `farjit doctor`: looks at everything FarJIT needs of the machine, and writes a line for each thing to `out`, with
 * the fix where something is wrong; or one object, for programs. What may crash is tried in processes of its own.
 * @returns exit code: 0 when all that is required is there, warnings or not.
 */
export async function runDoctor(out: Writable, { json = false } = {}): Promise<number> {
  const checks = [
    checkNode(),
    checkPlatform(),
    checkKernelVersion(),
    checkLibLLVM(),
    checkBindings(),
    checkFFI(),
    checkCodegen(),
    checkCodegenConfinement(),
    checkRunner(),
    checkCCompiler(),
    checkClang(),
    checkKernelFeatures(),
    checkSeccomp(),
    checkConfinement(),
    checkCPU(),
  ];
  const findings = (await Promise.all(checks)).flat();
  const ok = findings.every(({ level }) => level !== 'fail');
  out.write(json ? `${JSON.stringify({ ok, findings })}\n` : formatFindings(findings, wantsColors(out)));
  return ok ? 0 : 1;
}

/** One line for each finding, the fix indented below it, and a line that sums up. */
export function formatFindings(findings: readonly Finding[], coloured: boolean): string {
  const colors = createColors(coloured);
  const paint = { ok: colors.green, warn: colors.yellow, fail: colors.red };
  const lines = findings.flatMap(({ level, what, fix }) => [
    `${paint[level](level.padEnd(4))}  ${what}`,
    ...(fix === undefined ? [] : [`      ${colors.dim('fix:')} ${fix}`]),
  ]);
  const failCount = findings.filter(({ level }) => level === 'fail').length;
  lines.push('', failCount === 0 ? 'All that is required is there.' : `${failCount} required and not right.`);
  return `${lines.join('\n')}\n`;
}
