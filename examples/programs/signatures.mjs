// Functions of C called from JavaScript, with strings, arrays and structs. Run it with
// `node examples/programs/signatures.mjs`.
import { JIT, SignatureError } from '@farjit/compiler';

const jit = await JIT.create();

await jit.addC(
  `#include <stddef.h>
   #include <string.h>
   long count(const char *text, char c) { long n = 0; while ((text = strchr(text, c))) n++, text++; return n; }
   void scale(double *values, size_t n, double by) { for (size_t i = 0; i < n; i++) values[i] *= by; }
   struct point { double x, y; };
   struct point turned(struct point p) { return (struct point){ -p.y, p.x }; }`,
  { name: 'functions.c' },
);

// A string is there for the call.
const count = await jit.lookup('count', 'i64(ptr, i8)');
console.log(await count('any module, any program', 'm'.charCodeAt(0)));

// An array is copied, and copied back where the signature says so.
const scale = await jit.lookup('scale', 'void(inout ptr, u64, double)');
const values = Float64Array.of(1, 2, 3);
await scale(values, values.length, 10);
console.log(values);

// Structs are what is in them.
const turned = await jit.lookup('turned', '{double, double}({double, double})');
console.log(await turned([1, 2]));

// Functions of the process have no signature either. What a pointer leads to, they fetch.
const version = await jit.lookup('gnu_get_libc_version', 'ptr()');
const copy = await jit.lookup('strncpy', 'ptr(inout ptr, ptr, u64)');
const text = Buffer.alloc(16);
await copy(text, await version(), text.length);
console.log(/^\d+\.\d+\0/.test(text.toString()));

try {
  await jit.lookup('scale', 'void(double*, size_t, double)');
} catch (error) {
  if (!(error instanceof SignatureError)) throw error;
  console.log(error.message);
}
await jit.close();
