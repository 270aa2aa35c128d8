import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "@jest/globals";

const ROOT = join(import.meta.dirname, "../..");
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "berth-packed-"));
  execFileSync(process.execPath, ["scripts/build.ts"], { cwd: ROOT, stdio: "pipe" });
  npm(ROOT, "pack", "--ignore-scripts", "--pack-destination", folder);
  writeFileSync(join(folder, "package.json"), '{"name":"user","private":true,"type":"module"}');
  const [tarball = ""] = readdirSync(folder).filter((name) => name.endsWith(".tgz"));
  npm(folder, "install", "--prefer-offline", "--no-audit", "--no-fund", `./${tarball}`);
}, 300_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("brings nothing along but what its types need", () => {
  const installed = readdirSync(join(folder, "node_modules")).filter((name) => !/^\./.test(name));

  expect(installed.sort()).toEqual(["berth-runner", "zod"]);
});

it("runs a job as a library", () => {
  const program = `
    import { BerthError, cleanup, ContainerSettings, executeJob } from "berth-runner";
    const ended = await executeJob(
      { outputs: { x: "\${{ steps.s.outputs.x }}" }, steps: [{ id: "s", run: "echo x=1 >> $GITHUB_OUTPUT; echo hi" }, { uses: "o/r@v1" }] },
      { backend: "local", localActions: { "o/r@v1": "action" } },
    );
    const kinds = [typeof cleanup, typeof BerthError, typeof ContainerSettings.parse];
    console.log(JSON.stringify([ended.conclusion, ended.outputs, ended.log.includes("\\nhi\\n"), ended.log.includes("\\nfrom the action\\n"), kinds]));
  `;
  writeFileSync(join(folder, "use.mjs"), program);
  mkdirSync(join(folder, "action"), { recursive: true });
  writeFileSync(
    join(folder, "action/action.yml"),
    "runs: { using: composite, steps: [{ run: echo from the action, shell: sh }] }",
  );

  const printed = run(process.execPath, ["use.mjs"]);

  expect(JSON.parse(printed)).toEqual([
    "success",
    { x: "1" },
    true,
    true,
    ["function", "function", "function"],
  ]);
});

it("has types that a strict program compiles against, without Berth's own dependencies", () => {
  const program = `
    import { type Conclusion, ContainerAnswer, createContainer, executeJob, ContainerSettings, removeContainer, type RunEvent } from "berth-runner";
    const heard: RunEvent[] = [];
    const ended = await executeJob("steps: [run: x]", { inputs: { a: 1 }, onEvent: (event) => void heard.push(event) });
    export const conclusion: Conclusion = ended.conclusion;
    export const settings: ContainerSettings = ContainerSettings.parse({ image: "a" });
    const container: ContainerAnswer = await createContainer({ image: "a", ports: ["0:80"] }, { host: { ssh: "me@a" } });
    export const { failed } = await removeContainer(ContainerAnswer.parse(container).id, { volumes: true });
  `;
  const compilerOptions = {
    ...{ noEmit: true, strict: true, module: "nodenext", target: "es2024", types: [] },
    lib: ["es2024", "esnext.disposable", "dom"],
  };
  writeFileSync(join(folder, "use.ts"), program);
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({ compilerOptions, files: ["use.ts"] }),
  );

  expect(run(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", "."])).toBe(
    "",
  );
});

it("runs the demo with npx", () => {
  const printed = run("npx", ["--offline", "berth-runner", "demo", "--backend", "local"]);

  expect(printed).toContain("── Demo: success after ");
});

function run(program: string, args: readonly string[]): string {
  const env = { ...process.env, XDG_STATE_HOME: join(folder, "state") };
  const ended = spawnSync(program, args, { cwd: folder, env, encoding: "utf8" });
  if (ended.status !== 0) throw new Error(`${ended.stdout}\n${ended.stderr}`);
  return ended.stdout;
}

function npm(cwd: string, ...args: string[]): void {
  execFileSync("npm", args, { cwd, stdio: "pipe" });
}
