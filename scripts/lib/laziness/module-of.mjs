// Modules of more and more functions, of which a chain is called.

/** LLVM assembly: functions of which the first ones call each the next. */
export function moduleOf(functionCount, calledCount) {
  const define = (_, i) => {
    const isLast = i === calledCount - 1 || i === functionCount - 1;
    const call = isLast ? '' : `  %y = call double @f${i + 1}(double %x)\n`;
    return `define double @f${i}(double %x) {\n${call}  %z = fadd double ${isLast ? '%x' : '%y'}, 1.0\n  ret double %z\n}\n`;
  };
  const main = 'define i32 @main() {\n  %x = call double @f0(double 0.0)\n  ret i32 0\n}\n';
  return `${Array.from({ length: functionCount }, define).join('')}${main}`;
}
