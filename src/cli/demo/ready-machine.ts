import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { BerthError } from "../../../runner/errors.ts";
import { contentHash, type ImageContext } from "../../../runner/image/job-image.ts";
import { packageFolder } from "../../../runner/image/package-folder.ts";
import { type Machine, prepareEngine, prepareImages } from "../../hosts/prepare-machine.ts";
import { showSetup } from "../setup-progress.ts";
import { thisMachine } from "../this-machine.ts";

export type DemoFlags = {
  readonly backend?: "docker" | "local";
  readonly docker?: string;
  readonly stay?: true;
};

export type DemoIo = Pick<NodeJS.Process, "stdout" | "stderr" | "env">;

/** An engine with all that the example's jobs need, and the variables of its repository. */
export type ReadyMachine = Machine & { readonly variables: { readonly [name: string]: string } };

/**
 * Makes this machine ready, and says what it does. `undefined`: no engine can be had, and nobody insisted on one.
 *
 * @throws {BerthError} `ENGINE_NOT_FOUND`, `SETUP_FAILED` where one was insisted on.
 */
export async function readyMachine(
  flags: DemoFlags,
  { io, signal }: { readonly io: DemoIo; readonly signal: AbortSignal },
): Promise<ReadyMachine | undefined> {
  const warn = (line: string) => void io.stderr.write(`${line}\n`);
  if (flags.backend === "local") {
    warn("The local backend isolates nothing: steps run on this machine, as you.");
    return undefined;
  }
  const [busybox, python] = [await exampleImage("busybox"), await exampleImage("python")];
  using progress = showSetup(io.stderr);
  const prepare = { connect: thisMachine(flags), report: progress.report, signal };
  try {
    const engine = await prepareEngine(prepare);
    io.stdout.write(`Engine: Docker ${engine.version} at ${engine.endpoint}\n`);
    const machine = await prepareImages(engine, [busybox, python], prepare);
    return { ...machine, variables: { BUSYBOX_IMAGE: busybox.tag, PYTHON_IMAGE: python.tag } };
  } catch (error) {
    const isSetup =
      error instanceof BerthError && ["ENGINE_NOT_FOUND", "SETUP_FAILED"].includes(error.code);
    if (!isSetup || flags.backend === "docker") throw error;
    warn(`No containers here: ${error.message}\n${error.remedy ?? ""}`);
    warn("Showing what runs without them: --backend local, which isolates nothing.");
    return undefined;
  }
}

/** Built here, so that no registry is needed. */
async function exampleImage(name: string): Promise<ImageContext> {
  const file = join(packageFolder(), "examples/images", name, "Dockerfile");
  const files = new Map([["Dockerfile", await readFile(file, "utf8")]]);
  return { tag: `berth-demo-${name}:${contentHash(files)}`, files };
}
