/** Adds deliveries to the store in the folder FOLDER, many at once, and says which were acknowledged, until it is killed. */

import { writeSync } from "node:fs";
import { openStore } from "../../../src/store/open-store.ts";

const store = await openStore(process.env.FOLDER ?? "");
const sender = async (name: number) => {
  for (let number = 0; ; number += 1) {
    const id = `${name}-${number}`;
    await store.deliveries.add({ id, event: "push", payload: { id }, receivedAtMs: number });
    writeSync(1, `${id}\n`);
  }
};
await Promise.all(Array.from({ length: 8 }, (_, name) => sender(name)));
