import { homedir } from "node:os";
import { connectEngine, type Engine } from "../../../src/containers/connect-engine.ts";
import { stateFolder } from "../../../src/store/state-folder.ts";

/** The engine that `berth run` would use here. */
export function engineForTests(): Promise<Engine> {
  const uid = process.getuid?.() ?? 0;
  return connectEngine({
    env: process.env,
    home: homedir(),
    uid,
    stateDir: stateFolder(process.env, uid),
  });
}
