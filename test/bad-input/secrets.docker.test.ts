import { execFileSync } from "node:child_process";
import { beforeAll, expect, it } from "@jest/globals";
import { jobImage, testEngine } from "../engine.ts";
import { ending, startBerth } from "../src/cli/run-berth.ts";
import { objectsOfRun } from "./objects-of-run.ts";
import { repositoryOf, sharedState } from "./run-jobs.ts";
import { whenPrinted } from "./when-printed.ts";

const SECRET = "hunter2-and-more";

beforeAll(() => jobImage(), 120_000);

it("keeps a secret that a step uses out of what the engine and the process list show", async () => {
  const token = "$" + "{{ secrets.TOKEN }}";
  using repository = repositoryOf({
    a: {
      env: { JOB_TOKEN: token },
      steps: [
        {
          run: 'echo begun; [ "$TOKEN" = "$JOB_TOKEN" ]; exec sleep 3',
          env: { TOKEN: token, "ODD-TOKEN": token },
        },
        'echo "it is $JOB_TOKEN"',
      ],
    },
  });
  const env = { ...sharedState(), TOKEN: SECRET };
  const child = startBerth(["run", "--json", "--secret", "TOKEN"], { cwd: repository.root, env });
  const result = ending(child);
  const printed = await whenPrinted(child, '"line":"begun"');
  const run = /"run":"(\d+)"/.exec(printed)?.[1] ?? "";

  const { docker } = await testEngine();
  const seen: unknown[] = [];
  for (const object of await objectsOfRun(run)) {
    const [kind, id = ""] = object.split(" ");
    if (kind === "container") seen.push(await docker.getContainer(id).inspect());
    if (kind === "network") seen.push(await docker.getNetwork(id).inspect());
    if (kind === "volume") seen.push(await docker.getVolume(id).inspect());
  }
  const processes = execFileSync("ps", ["-e", "-ww", "-o", "args"], {
    encoding: "utf8",
    maxBuffer: 64 * 1024 ** 2,
  });
  const ended = await result;

  expect(seen).not.toEqual([]);
  expect(JSON.stringify(seen)).not.toContain(SECRET);
  expect(processes).toContain("sleep 3");
  expect(processes).not.toContain(SECRET);
  expect(ended.code).toBe(0);
  expect(ended.stdout).toContain('"line":"it is ***"');
  expect(ended.stdout + ended.stderr).not.toContain(SECRET);
});
