import { expect, it } from "@jest/globals";
import { ReturnGate } from "../../../src/fleet/return-gate.ts";

async function isOpen(gate: ReturnGate): Promise<boolean> {
  const turn = new Promise((resolve) => setImmediate(() => resolve(false)));
  return (await Promise.race([gate.opened.then(() => true), turn])) === true;
}

it("opens when all that are expected are back, or their run has ended", async () => {
  const gate = new ReturnGate();
  gate.expect(["7-1.a", "7-1.b", "8-1.a", "8-1-2.a"]);

  gate.back("7-1.a");
  gate.back("7-1.b");
  gate.runEnded("8-1");
  expect(await isOpen(gate)).toBe(false);
  gate.back("8-1-2.a");

  expect(await isOpen(gate)).toBe(true);
});

it("is open at once when nobody is expected, and some time later in any case", async () => {
  const [none, late] = [new ReturnGate(), new ReturnGate()];
  none.expect([]);
  late.expect(["7-1.a"], { timeoutMs: 5 });
  const stays = setTimeout(() => {}, 5_000);

  expect(await isOpen(none)).toBe(true);
  await late.opened;
  clearTimeout(stays);
});
