import { cp, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { Command, Option } from "commander";
import { BerthError } from "../../runner/errors.ts";
import { contentHash, type ImageContext } from "../../runner/image/job-image.ts";
import { packageFolder } from "../../runner/image/package-folder.ts";
import { type Machine, prepareEngine, prepareImages } from "../hosts/prepare-machine.ts";
import {
  containerExamples,
  type DemoImages,
  type Example,
  type LeftOut,
  localExamples,
} from "./demo-examples.ts";
import { INTERRUPTED, type Interrupts } from "./interrupts.ts";
import { type RunIo, run } from "./run.ts";
import type { RunFlags } from "./run-options.ts";
import { showSetup } from "./setup-progress.ts";
import { thisMachine } from "./this-machine.ts";

const WORKFLOWS = ".github/workflows";

type Backend = RunFlags["backend"];
type DemoFlags = { readonly backend?: Backend; readonly docker?: string };
type DemoOptions = { readonly io: RunIo; readonly interrupts: Interrupts };
type Ready = Machine & { readonly images: DemoImages };

/** `berth demo`: makes this machine ready and runs the example workflows; nothing to sign up for. */
export function demoCommand(interrupts: Interrupts): Command {
  return new Command("demo")
    .description("Make this machine ready and run the example workflows on it.")
    .addOption(
      new Option("--backend <backend>", "where jobs run (default: docker, else local)").choices([
        "docker",
        "local",
      ]),
    )
    .option("--docker <endpoint>", "the engine to use, as in DOCKER_HOST")
    .addHelpText("after", "\nExample:\n  berth demo")
    .action(async (flags: DemoFlags) => {
      const { stdout, stderr, env } = process;
      const warn = (line: string) => void stderr.write(`${line}\n`);
      const io = { stdout, stderr, env, cwd: process.cwd(), warn };
      process.exitCode = await demo(flags, { io, interrupts });
    });
}

/** Returns the exit code. */
export async function demo(flags: DemoFlags, options: DemoOptions): Promise<number> {
  const begin = performance.now();
  const ready = await getReady(flags, options);
  const folder = await mkdtemp(join(tmpdir(), "berth-demo-"));
  try {
    const output = join(folder, "output");
    await mkdir(output);
    const { examples, leftOut } = ready
      ? containerExamples(ready.images, { output, isEngineHere: isEngineHere(ready) })
      : localExamples();
    const codes = await runExamples(examples, {
      ...options,
      io: { ...options.io, cwd: await makeRepository(folder) },
      flags: { ...flags, backend: ready ? "docker" : "local" },
    });
    if (options.interrupts.first.aborted) return INTERRUPTED;
    const seconds = ((performance.now() - begin) / 1000).toFixed(1);
    options.io.stdout.write(summary({ examples, codes, leftOut, seconds }));
    return codes.find((code) => code !== 0) ?? 0;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The examples as a repository of their own, whatever folder the demo was started in. */
async function makeRepository(parent: string): Promise<string> {
  const repository = join(parent, "harbour");
  const examples = join(packageFolder(), "examples");
  await cp(join(examples, "workflows"), join(repository, WORKFLOWS), { recursive: true });
  // What the workflows name by its path is where it is in this package.
  for (const name of ["actions", "data"]) {
    await cp(join(examples, name), join(repository, "examples", name), { recursive: true });
  }
  return repository;
}

/** An engine elsewhere does not have this machine's folders. */
function isEngineHere({ engine }: Ready): boolean {
  return engine.endpoint.startsWith("unix://");
}

/** `undefined`: no engine can be had, and nobody insisted on one. */
async function getReady(
  flags: DemoFlags,
  { io, interrupts }: DemoOptions,
): Promise<Ready | undefined> {
  if (flags.backend === "local") return undefined;
  const [busybox, python] = [await demoImage("busybox"), await demoImage("python")];
  using progress = showSetup(io.stderr);
  const prepare = {
    connect: thisMachine(flags),
    report: progress.report,
    signal: interrupts.first,
  };
  try {
    const engine = await prepareEngine(prepare);
    io.stdout.write(`Engine: Docker ${engine.version} at ${engine.endpoint}\n`);
    const machine = await prepareImages(engine, [busybox, python], prepare);
    const images = { debian: machine.base, busybox: busybox.tag, python: python.tag };
    return { ...machine, images };
  } catch (error) {
    const isSetup =
      error instanceof BerthError && ["ENGINE_NOT_FOUND", "SETUP_FAILED"].includes(error.code);
    if (!isSetup || flags.backend === "docker") throw error;
    io.warn(`No containers here: ${error.message}\n${error.remedy ?? ""}`);
    io.warn("Showing what runs without them: --backend local, which isolates nothing.");
    return undefined;
  }
}

async function demoImage(name: string): Promise<ImageContext> {
  const file = join(packageFolder(), "examples/images", name, "Dockerfile");
  const files = new Map([["Dockerfile", await readFile(file, "utf8")]]);
  return { tag: `berth-demo-${name}:${contentHash(files)}`, files };
}

async function runExamples(
  examples: readonly Example[],
  { io, interrupts, flags }: DemoOptions & { flags: DemoFlags & { backend: Backend } },
): Promise<number[]> {
  const codes: number[] = [];
  for (const { file, title, flags: own } of examples) {
    if (interrupts.first.aborted) break;
    io.stdout.write(`\n── ${title} (examples/workflows/${file})\n`);
    const all = { ...flags, event: "push", maxParallel: availableParallelism(), ...own };
    codes.push(await run([join(WORKFLOWS, file)], all, { io, interrupts }));
  }
  return codes;
}

type Told = {
  readonly examples: readonly Example[];
  readonly codes: readonly number[];
  readonly leftOut: readonly LeftOut[];
  readonly seconds: string;
};

function summary({ examples, codes, leftOut, seconds }: Told): string {
  const ran = examples.map(({ file, title }, index) =>
    summaryLine(codes[index] === 0 ? "✓" : "✗", file, title),
  );
  const left = leftOut.map(({ file, title, why }) =>
    summaryLine("-", file, `${title} (left out: ${why})`),
  );
  const verdict = codes.every((code) => code === 0) ? "success" : "failure";
  return `\n── Demo: ${verdict} after ${seconds} s\n${[...ran, ...left].join("\n")}\n`;
}

function summaryLine(mark: string, file: string, title: string): string {
  return `${mark} ${file.padEnd(20)} ${title}`;
}
