export { printable, printableCodePoint, quoted } from '@farjit/protocol/printable';
