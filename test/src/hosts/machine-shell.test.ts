import { queryObjects } from "node:v8";
import { expect, it } from "@jest/globals";
import { localShell } from "../../../src/hosts/machine-shell.ts";

it("keeps nothing of a script that has ended, however long its signal lives", async () => {
  const { signal } = new AbortController();
  const shell = localShell(process.env);
  await shell.run(":", { signal });
  const before = signals();

  for (let n = 0; n < 20; n++) await shell.run(":", { signal });

  expect(signals() - before).toBeLessThan(10);
});

/** Of all that the garbage collector leaves. */
function signals(): number {
  return Number(queryObjects(AbortSignal, { format: "count" }));
}
