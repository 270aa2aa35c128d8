import { cp, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { Command, Option } from "commander";
import { BerthError } from "../../runner/errors.ts";
import { contentHash, type ImageContext } from "../../runner/image/job-image.ts";
import { packageFolder } from "../../runner/image/package-folder.ts";
import { type Machine, prepareEngine, prepareImages } from "../hosts/prepare-machine.ts";
import { INTERRUPTED, type Interrupts } from "./interrupts.ts";
import { type RunIo, run } from "./run.ts";
import type { RunFlags } from "./run-options.ts";
import { showSetup } from "./setup-progress.ts";
import { thisMachine } from "./this-machine.ts";

const WORKFLOWS = ".github/workflows";

type Backend = RunFlags["backend"];
type DemoFlags = { readonly backend?: Backend; readonly docker?: string };
type DemoOptions = { readonly io: RunIo; readonly interrupts: Interrupts };
type Ready = Machine & { readonly base: string; readonly images: DemoImages };
type DemoImages = { readonly busybox: ImageContext; readonly python: ImageContext };

/** One workflow of `examples/workflows`, and what of it can be run. */
type Example = {
  readonly file: string;
  readonly title: string;
  readonly flags?: Partial<RunFlags>;
};

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
    const examples = ready ? containerExamples(ready, output) : [LOCAL_EXAMPLE];
    const codes = await runExamples(examples, {
      ...options,
      io: { ...options.io, cwd: await makeRepository(folder) },
      flags: { ...flags, backend: ready ? "docker" : "local" },
    });
    if (options.interrupts.first.aborted) return INTERRUPTED;
    const seconds = ((performance.now() - begin) / 1000).toFixed(1);
    options.io.stdout.write(summary(examples, codes, seconds));
    return codes.find((code) => code !== 0) ?? 0;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The examples as a repository of their own, whatever folder the demo was started in. */
async function makeRepository(parent: string): Promise<string> {
  const repository = join(parent, "harbour");
  const workflows = join(packageFolder(), "examples/workflows");
  await cp(workflows, join(repository, WORKFLOWS), { recursive: true });
  return repository;
}

/** `undefined`: no engine can be had, and nobody insisted on one. */
async function getReady(
  flags: DemoFlags,
  { io, interrupts }: DemoOptions,
): Promise<Ready | undefined> {
  if (flags.backend === "local") return undefined;
  const images = { busybox: await demoImage("busybox"), python: await demoImage("python") };
  using progress = showSetup(io.stderr);
  const prepare = {
    connect: thisMachine(flags),
    report: progress.report,
    signal: interrupts.first,
  };
  try {
    const engine = await prepareEngine(prepare);
    io.stdout.write(`Engine: Docker ${engine.version} at ${engine.endpoint}\n`);
    const machine = await prepareImages(engine, [images.busybox, images.python], prepare);
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

/** The jobs of `main.yml` that need no container of their own. */
const LOCAL_EXAMPLE: Example = {
  file: "main.yml",
  title: "Jobs that hand values on",
  flags: { job: ["report"] },
};

function containerExamples({ engine, base, images }: Ready, output: string): Example[] {
  const vars = [
    `DEBIAN_IMAGE=${base}`,
    `BUSYBOX_IMAGE=${images.busybox.tag}`,
    `PYTHON_IMAGE=${images.python.tag}`,
  ];
  const folders = [
    `INPUT_FOLDER=${join(packageFolder(), "examples/data")}`,
    `OUTPUT_FOLDER=${output}`,
  ];
  const pipeline: Example = {
    file: "data-pipeline.yml",
    title: "A matrix over datasets, two at a time, with folders of this machine",
    flags: { var: [...vars, ...folders] },
  };
  // An engine elsewhere does not have this machine's folders.
  const isHere = engine.endpoint.startsWith("unix://");
  return [
    {
      file: "main.yml",
      title: "Jobs that hand values on, one in a container of its own",
      flags: { var: vars },
    },
    ...(isHere ? [pipeline] : []),
    { file: "multi-platform.yml", title: "One test on three systems", flags: { var: vars } },
  ];
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

function summary(examples: readonly Example[], codes: readonly number[], seconds: string): string {
  const lines = examples.map(({ file, title }, index) => {
    const mark = codes[index] === 0 ? "✓" : "✗";
    return `${mark} ${file.padEnd(20)} ${title}`;
  });
  const verdict = codes.every((code) => code === 0) ? "success" : "failure";
  return `\n── Demo: ${verdict} after ${seconds} s\n${lines.join("\n")}\n`;
}
