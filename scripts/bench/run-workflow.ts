import { execFileSync, spawn } from "node:child_process";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

const BERTH = resolve(import.meta.dirname, "../../dist/berth.js");

/** Milliseconds since the program was started. */
export type Timeline = {
  readonly firstStepMs: number;
  readonly lastStepEndMs: number;
  /** Each script step's start and end, in order. */
  readonly steps: readonly { readonly startMs: number; readonly endMs: number }[];
  /** How long "Initialize containers" took; 0 for a job without services. */
  readonly servicesMs: number;
  readonly totalMs: number;
};

/** A throw-away repository with one workflow. */
export function makeRepository(workflow: string): Disposable & { readonly folder: string } {
  const folder = mkdtempSync(join(tmpdir(), "berth-bench-"));
  mkdirSync(join(folder, ".github/workflows"), { recursive: true });
  writeFileSync(join(folder, ".github/workflows/bench.yml"), workflow);
  const git = (...args: string[]) => execFileSync("git", args, { cwd: folder, stdio: "ignore" });
  git("init", "--initial-branch=main");
  git("add", "--all");
  git("-c", "user.name=bench", "-c", "user.email=bench@example.org", "commit", "-m", "Bench");
  return {
    folder,
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** A throw-away repository whose folders are actions, by name; the workflow uses them as `bench/NAME@v1`. */
export function makeActions(actions: {
  readonly [name: string]: { readonly [file: string]: string };
}): Disposable & { argsFor(flag: string): string[] } {
  const folder = mkdtempSync(join(tmpdir(), "berth-bench-actions-"));
  for (const [name, files] of Object.entries(actions)) {
    mkdirSync(join(folder, name));
    for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, name, file), text);
  }
  return {
    argsFor: (flag) =>
      Object.keys(actions).flatMap((name) => [flag, `bench/${name}@v1=${join(folder, name)}`]),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** A job that uses an action many times; `service` is the image of one service. */
export function actionWorkflow(uses: string, times: number, service?: string): string {
  const steps = Array.from({ length: times }, () => `      - uses: ${uses}\n`).join("");
  const services = service ? `    services:\n      one:\n        image: ${service}\n` : "";
  return `on: push\njobs:\n  bench:\n    runs-on: ubuntu-latest\n${services}    steps:\n${steps}`;
}

/** A job of script steps. */
export function workflowOf(steps: readonly string[]): string {
  const list = steps.map((step) => `      - run: ${JSON.stringify(step)}\n`).join("");
  return `on: push\njobs:\n  bench:\n    runs-on: ubuntu-latest\n    steps:\n${list}`;
}

/** Runs the repository's workflow with Berth and reads the times from its events. */
export async function runBerth(folder: string, args: readonly string[] = []): Promise<Timeline> {
  const begun = Date.now();
  const child = spawn(process.execPath, [BERTH, "run", "--json", ...args], {
    cwd: folder,
    stdio: ["ignore", "pipe", "ignore"],
  });
  const starts: { at: number; name: string }[] = [];
  const ends: number[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith('{"type":"log"')) continue;
    const event = JSON.parse(line) as { type: string; at: string; stepName?: string };
    if (event.type === "step_started")
      starts.push({ at: Date.parse(event.at) - begun, name: event.stepName ?? "" });
    if (event.type === "step_finished") ends.push(Date.parse(event.at) - begun);
  }
  if (child.exitCode === null) await new Promise((resolve) => child.once("exit", resolve));
  if (child.exitCode !== 0) throw new Error(`berth run ended with ${child.exitCode}`);

  const all = starts.map(({ at, name }, index) => ({
    name,
    startMs: at,
    endMs: ends[index] ?? Number.NaN,
  }));
  const steps = all.filter(({ name }) => name.startsWith("Run "));
  const services = all.find(({ name }) => name === "Initialize containers");
  return {
    firstStepMs: steps[0]?.startMs ?? Number.NaN,
    lastStepEndMs: steps.at(-1)?.endMs ?? Number.NaN,
    steps,
    servicesMs: services === undefined ? 0 : services.endMs - services.startMs,
    totalMs: Date.now() - begun,
  };
}

/** Seconds that the only script step of the repository's workflow took, its log going to a file in the way that `view` says. */
export async function logSeconds(folder: string, args: readonly string[]): Promise<number> {
  const file = join(folder, "log");
  using descriptor = openFile(file);
  const child = spawn(process.execPath, [BERTH, "run", ...args], {
    cwd: folder,
    stdio: ["ignore", descriptor.fd, descriptor.fd],
  });
  const code = await new Promise((resolve) => child.once("exit", resolve));
  if (code !== 0) throw new Error(`berth run ended with ${code}`);
  const size = statSync(file).size;
  const tail = Buffer.alloc(Math.min(size, 65_536));
  readSync(descriptor.fd, tail, 0, tail.length, size - tail.length);
  const text = tail.toString();
  const json = [...text.matchAll(/"step_finished".*"stepName":"Run .*"ms":(\d+)/g)].at(-1)?.[1];
  const plain = [...text.matchAll(/ Run .* \(([\d.]+)s\)/g)].at(-1)?.[1];
  return json === undefined ? Number(plain) : Number(json) / 1000;
}

function openFile(file: string): Disposable & { readonly fd: number } {
  const fd = openSync(file, "w+");
  return { fd, [Symbol.dispose]: () => closeSync(fd) };
}

/** Runs the same with nektos/act; milliseconds of the whole process. */
export async function runAct(
  folder: string,
  image: string,
  args: readonly string[] = [],
): Promise<number> {
  const begun = performance.now();
  const common = ["push", "--pull=false", "-P", `ubuntu-latest=${image}`];
  const child = spawn("act", [...common, ...args], { cwd: folder, stdio: "ignore" });
  const code = await new Promise((resolve) => child.once("exit", resolve));
  if (code !== 0) throw new Error(`act ended with ${code}`);
  return performance.now() - begun;
}
