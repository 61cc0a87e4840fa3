// Code that calls functions in JavaScript. Run it with `node examples/programs/host-functions.mjs`.
import { JIT } from '@farjit/compiler';

const jit = await JIT.create();

// A name that code can call, its type, and what is done. TypeScript reads the type, and so knows what `call` is given.
const prices = new Map([
  [1, 2.5],
  [2, 4],
]);
jit.define({
  price: { signature: 'double(i32)', call: (_run, article) => prices.get(article) ?? Number.NaN },
  note: {
    signature: 'void(i32, double)',
    call: (_run, article, price) => console.log(`${article}: ${price}`),
  },
});

// C is told by a prototype, and calls it as any function of C.
await jit.addC(`
  double price(int article);
  void note(int article, double price);
  double total(int articles) {
    double sum = 0;
    for (int article = 1; article <= articles; article++) {
      note(article, price(article));
      sum += price(article);
    }
    return sum;
  }
`);
const total = await jit.lookup('total');
console.log(await total(2));

// What a function throws rejects the call of the code that has called it. One that answers later is waited for.
jit.define({
  check: {
    signature: 'i1(i32)',
    call: async (_run, article) => {
      if (!prices.has(article)) throw new RangeError(`there is no article ${article}`);
      return true;
    },
  },
});
await jit.addC('_Bool check(int article); int checked(int article) { return check(article); }');
const checked = await jit.lookup('checked');
console.log(await checked(1));
await checked(3).catch((error) => console.log(`${error.code}: ${error.message} (${error.cause.name})`));

await jit.close();
