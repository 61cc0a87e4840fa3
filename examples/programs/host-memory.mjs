// Functions in JavaScript that read and write what pointers lead to. Run it with `node examples/programs/host-memory.mjs`.
import { JIT } from '@farjit/compiler';

const settings = { color: 'blue' };
const jit = await JIT.create();

jit.define({
  log: {
    signature: 'void(ptr, i64)',
    call: async (run, address, length) => console.log(await run.readString(address, length)),
  },
  // Up to its NUL, as C has it.
  setting: {
    signature: 'i32(ptr, ptr, i64)',
    call: async (run, name, buffer, room) => {
      const value = settings[await run.readString(name)];
      if (value === undefined) return 0;
      await run.writeString(buffer, value, room);
      return 1;
    },
  },
  mean: {
    signature: 'double(ptr, u32)',
    call: async (run, address, count) => {
      const numbers = await run.readArray(Float64Array, address, count);
      return numbers.reduce((sum, number) => sum + number, 0) / count;
    },
  },
});

await jit.addC(`
  #include <string.h>
  void log(const char *text, long length);
  int setting(const char *name, char *buffer, long room);
  double mean(const double *numbers, unsigned count);
  double f(void) {
    char hello[] = "hello from the stack";
    log(hello, sizeof hello - 1);
    char color[16];
    if (setting("color", color, sizeof color)) log(color, strlen(color));
    return mean((double[]) {1, 2, 3, 4}, 4);
  }
`);
const f = await jit.lookup('f');
console.log(await f());

await jit.close();
