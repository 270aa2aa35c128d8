import { existsSync } from "node:fs";
import { BerthError } from "../../runner/errors.ts";
import { connectEngine, type Engine } from "../containers/connect-engine.ts";
import { engineFolder } from "./engine-folder.ts";
import { type PrepareOptions, prepareEngine } from "./prepare-machine.ts";

/**
 * The engine to run on. None is set up here; the one that Berth set up before is started again when it is gone.
 *
 * @throws {BerthError} `ENGINE_NOT_FOUND`, `SETUP_FAILED`
 */
export async function findEngine(options: PrepareOptions): Promise<Engine> {
  const { connect } = options;
  try {
    return await connectEngine(connect);
  } catch (error) {
    const isAbsent = error instanceof BerthError && error.code === "ENGINE_NOT_FOUND";
    const hadOne = existsSync(engineFolder(connect.stateDir).data);
    if (!isAbsent || !hadOne) throw error;
    return prepareEngine(options);
  }
}
