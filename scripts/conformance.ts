/**
 * Runs a folder of workflow fixtures (an `index.tsv` and the files it names) through `berth run` and prints how many
 * end as a GitHub-compatible runner would end them.
 *
 *   npm run conformance -- FOLDER [--actions DIR] [--backend docker|local] [--only CASE] [--verbose]
 *
 * Actions of other repositories come from DIR, which holds copies of them as git repositories, `OWNER+REPO` each: a small stand-in for
 * GitHub serves them, at the commits that the fixtures' table names. Without DIR it has none.
 */
import { execFile, execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs, promisify } from "node:util";
import { hasRepository, serveActions } from "./conformance/serve-actions.ts";

type Row = { [column: string]: string };
type Outcome = {
  code: number;
  conclusion: string | undefined;
  jobs: { job: string; conclusion: string }[];
  log: string[];
  errors: string;
};

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    actions: { type: "string" },
    backend: { type: "string", default: "docker" },
    only: { type: "string" },
    verbose: { type: "boolean", default: false },
  },
});
const folder = resolve(positionals[0] ?? fail("usage: npm run conformance -- FOLDER"));
const berth = resolve(import.meta.dirname, "../dist/berth.js");

// The fixtures name labels of systems that Berth does not have; here each of them means the job image.
const jobImage =
  flags.backend === "docker"
    ? execFileSync(process.execPath, [berth, "image", "build"]).toString().trim()
    : "none";

const rows = readRows(join(folder, "index.tsv")).filter(
  (row) => !flags.only || row.case === flags.only,
);
const actions = flags.actions === undefined ? undefined : resolve(flags.actions);
const repository = makeRepository();
try {
  await using github = await serveActions(actions, readPins());
  let held = 0;
  for (const row of rows) {
    const outcome = await run(row, github.url);
    const problems = judge(row, outcome);
    if (problems.length === 0) held++;
    else problems.push(...missingActions(row));
    console.log(
      `${problems.length === 0 ? "ok  " : "FAIL"}  ${row.case?.padEnd(45)} ${problems.join("; ")}`,
    );
    if (problems.length > 0 && flags.verbose) console.log(outcome.errors, outcome.log.join("\n"));
  }
  console.log(`\n${held} of ${rows.length} hold (${Math.round((100 * held) / rows.length)} %)`);
  process.exitCode = held === rows.length ? 0 : 1;
} finally {
  rmSync(repository, { recursive: true, force: true });
}

/** The column `actions`: `owner/repo@ref=commit`, with blanks between. */
function readPins(): Map<string, string> {
  const entries = rows.flatMap((row) => (row.actions ?? "").split(" ").filter(Boolean));
  return new Map(entries.map((entry) => entry.split("=") as [string, string]));
}

/** What may explain a failure. The repository's own checkout needs no action. */
function missingActions(row: Row): string[] {
  const names = (row.actions ?? "").match(/[^\s@]+(?=@)/g) ?? [];
  return names
    .filter((name) => name !== "actions/checkout" && !hasRepository(actions, name))
    .map((name) => `needs ${name}, which --actions does not have`);
}

/** What the workflow did differently from the table; empty when it holds. */
function judge(row: Row, outcome: Outcome): string[] {
  const unsupported = /^.*not supported yet.*$/im.exec(outcome.errors)?.[0];
  if (unsupported) return [unsupported.trim()];
  const ended = outcome.conclusion ?? `exit ${outcome.code}`;
  switch (row.expected_github) {
    case "invalid":
    case "refused":
      return outcome.code === 2 ? [] : [`expected ${row.expected_github}, ended ${ended}`];
    case "fail":
      return ended === "failure" ? [] : [`expected failure, ended ${ended}`];
    default:
      return [
        ...(ended === "success" || row.case === "basic-graph"
          ? []
          : [`expected success, ended ${ended}`]),
        ...judgeJobs(row, outcome),
        ...judgeLog(row, outcome),
      ];
  }
}

function judgeJobs(row: Row, outcome: Outcome): string[] {
  if (!row.job_results || row.case === "basic-graph") return [];
  const expected = JSON.parse(row.job_results) as { [job: string]: string | string[] };
  return Object.entries(expected).flatMap(([job, results]) => {
    const wanted = [results].flat().sort().join(",");
    const got = outcome.jobs
      .filter((j) => j.job === job)
      .map((j) => j.conclusion)
      .sort()
      .join(",");
    return got === wanted ? [] : [`job ${job}: expected ${wanted}, was ${got || "missing"}`];
  });
}

function judgeLog(row: Row, { log }: Outcome): string[] {
  const found = (text: string) =>
    log.some((line) => (text.startsWith("=") ? line === text.slice(1) : line.includes(text)));
  const list = (cell: string | undefined) => JSON.parse(cell || "[]") as string[];
  return [
    ...list(row.log_has)
      .filter((text) => !found(text))
      .map((text) => `log lacks ${text}`),
    ...list(row.log_lacks)
      .filter((text) => found(text))
      .map((text) => `log has ${text}`),
  ];
}

async function run(row: Row, apiUrl: string): Promise<Outcome> {
  const given = (flag: string, cell: string | undefined): string[] => {
    if (!cell) return [];
    return cell.startsWith("file ") ? [`--${flag}-file`, cell.slice(5)] : [`--${flag}`, cell];
  };
  const args = [
    "run",
    "--json",
    "--backend",
    flags.backend,
    "--api-url",
    apiUrl,
    "--actor",
    "nektos/act",
    "-e",
    row.event || "push",
    ...given("input", row.inputs),
    ...given("secret", row.secrets),
    ...given("env", row.env),
    ...(row.event_file ? ["--event-file", row.event_file] : []),
    "--image",
    `*=${jobImage}`,
    row.workflow ?? "",
  ];
  if (row.case === "basic-graph") args.push("--list");
  const { stdout, stderr, code } = await promisify(execFile)(process.execPath, [berth, ...args], {
    cwd: repository,
    maxBuffer: 64 << 20,
    timeout: 300_000,
  }).then(
    (done) => ({ ...done, code: 0 }),
    (error: { stdout: string; stderr: string; code: number }) => error,
  );

  const events = stdout
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map(
      (line) => JSON.parse(line) as { type: string; job: string; conclusion: string; line: string },
    );
  return {
    code,
    conclusion: events.find((event) => event.type === "run_finished")?.conclusion,
    jobs: events.filter((event) => event.type === "job_finished"),
    log: events.flatMap((event) => (event.type === "log" ? [event.line] : [])),
    errors: stderr,
  };
}

/** The fixtures as the repository their workflows believe they live in. */
function makeRepository(): string {
  const copy = mkdtempSync(join(tmpdir(), "berth-conformance-"));
  cpSync(folder, copy, { recursive: true });
  const git = (...args: string[]) => execFileSync("git", args, { cwd: copy, stdio: "ignore" });
  execFileSync("chmod", ["-R", "u+w", copy]);
  git("init", "--initial-branch=main");
  git("remote", "add", "origin", "https://github.com/nektos/act.git");
  git("add", "--all");
  git("-c", "user.name=nektos/act", "-c", "user.email=act@example.org", "commit", "-m", "Fixtures");
  return copy;
}

function readRows(file: string): Row[] {
  const [head = "", ...lines] = readFileSync(file, "utf8").split("\n");
  const columns = head.split("\t");
  return lines
    .filter((line) => line.trim())
    .map((line) =>
      Object.fromEntries(line.split("\t").map((cell, at) => [columns[at] ?? "", cell])),
    );
}

function fail(message: string): never {
  console.error(message);
  process.exit(2);
}
