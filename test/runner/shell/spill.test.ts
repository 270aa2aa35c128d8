import { expect, it } from "@jest/globals";
import { createSpill } from "../../../runner/shell/spill.ts";

it("gives back 30 MB in the order it took them, while more come", () => {
  using spill = createSpill();
  const piece = (index: number) => Buffer.alloc(100_000, index % 251);
  const want = Buffer.concat(Array.from({ length: 300 }, (_, index) => piece(index)));
  const got: Buffer[] = [];

  for (let index = 0; index < 300; index++) {
    spill.push(piece(index));
    if (index % 90 === 89) got.push(spill.shift() ?? Buffer.alloc(0));
  }
  for (let bytes = spill.shift(); bytes !== undefined; bytes = spill.shift()) got.push(bytes);

  expect(Buffer.concat(got).equals(want)).toBe(true);
  expect(spill.shift()).toBeUndefined();
});
