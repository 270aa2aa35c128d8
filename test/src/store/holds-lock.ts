/** Locks the folder FOLDER, says so, and holds it until it is killed. */

import { lockService } from "../../../src/store/service-lock.ts";

await using _ = await lockService(process.env.FOLDER ?? "");
process.stdout.write("locked\n");
await new Promise(() => setInterval(() => {}, 1e6));
