import test from 'ava';
import { AnswerReader, encodeRequest, MAX_PRODUCT_BYTES, Status } from '../../src/codegen/codegen-wire.js';

function answer(id: number, status: Status, content: string): Buffer {
  const bytes = Buffer.alloc(36 + content.length);
  bytes.writeUInt32LE(bytes.length - 4, 0);
  bytes.writeUInt32LE(id, 4);
  bytes.writeUInt32LE(status, 8);
  [1.5, 2.5, 3.5].forEach((ms, index) => {
    bytes.writeDoubleLE(ms, 12 + 8 * index);
  });
  bytes.write(content, 36);
  return bytes;
}

test('answers are found wherever the stream is cut', (t) => {
  const stream = Buffer.concat([
    answer(0, Status.Done, '22.1.8'),
    answer(7, Status.Compile, ''),
    answer(8, Status.Done, 'xyz'),
  ]);
  const wanted = [
    [0, Status.Done, '22.1.8'],
    [7, Status.Compile, ''],
    [8, Status.Done, 'xyz'],
  ];
  for (let pieceBytes = 1; pieceBytes <= stream.length; pieceBytes++) {
    const reader = new AnswerReader();
    const answers = [];
    for (let at = 0; at < stream.length; at += pieceBytes)
      answers.push(...reader.push(stream.subarray(at, at + pieceBytes)));
    t.deepEqual(
      answers.map(({ id, status, content }) => [id, status, content.toString()]),
      wanted,
    );
    t.deepEqual(answers[2]?.timings, { parseMs: 1.5, passesMs: 2.5, emitMs: 3.5 });
  }
});

test('an answer that is none, or too long, is refused before anything of it is kept', (t) => {
  for (const [length, words] of [
    [0, /shorter than its header/],
    [31, /shorter than its header/],
    [32 + MAX_PRODUCT_BYTES + 1, /has 67108865 bytes, more than 67108864/],
    [0xffff_ffff, /more than 67108864/],
  ] as const) {
    const header = answer(7, Status.Done, '');
    header.writeUInt32LE(length, 0);
    t.throws(() => new AnswerReader().push(header), { instanceOf: RangeError, message: words });
  }
  const header = answer(7, Status.Done, '');
  header.writeUInt32LE(32 + MAX_PRODUCT_BYTES, 0);
  t.deepEqual(new AnswerReader().push(header), []);
});

test('a request is laid out as codegen.h says', (t) => {
  const target = { triple: 'tr', cpuName: 'c', cpuFeatures: '' };
  const input = {
    name: 'ä',
    ir: { form: 'recording', bytes: Uint8Array.of(1, 2, 3) } as const,
    target,
    optLevel: 1 as const,
    programDefined: ['f'],
    piece: { kind: 'functions' as const, asked: ['g', 'h'], compiled: [], most: 7 },
  };
  const request = { product: 'asm', codeGenOptLevel: 2, passes: 'p', input } as const;
  const text = (value: string) => {
    const encoded = Buffer.from(value);
    return [encoded.length, 0, 0, 0, ...encoded, 0];
  };
  const bodyOf = (key: number, module: number[]) => [
    ...[5, 0, 0, 0, 1, 2, 1, 0, 1, 0, 1, 0, 7, 0, 0, 0, key, 0, 0, 0],
    ...['ä', 'tr', 'c', '', 'p', 'f', 'g\0h\0', ''].flatMap(text),
    ...[module.length, 0, 0, 0, ...module, 0],
  ];
  for (const [kept, body] of [
    [undefined, bodyOf(0, [1, 2, 3])],
    [{ key: 9, isThere: false }, bodyOf(9, [1, 2, 3])],
    [{ key: 9, isThere: true }, bodyOf(9, [])],
  ] as const)
    t.deepEqual([...encodeRequest(5, request, kept)], [body.length, 0, 0, 0, ...body]);
});
