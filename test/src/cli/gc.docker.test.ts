import { hostname } from "node:os";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import type Docker from "dockerode";
import { jobLabels, OWNER_LABEL, SERVED_LABEL } from "../../../src/containers/labels.ts";
import { removeVolume } from "../../../src/containers/remove-objects.ts";
import { testEngine } from "../../engine.ts";
import { runBerth } from "./run-berth.ts";

const RUN = `gc-service-${process.pid}`;
const SERVICE = `service-${process.pid}`;
let docker: Docker;

beforeAll(async () => {
  ({ docker } = await testEngine());
  await docker.createVolume({
    Name: RUN,
    Labels: {
      ...jobLabels({ kind: "job", jobId: `${RUN}.job`, runId: RUN }),
      [OWNER_LABEL]: `${hostname()}:4000000:gone/0/0`,
      [SERVED_LABEL]: SERVICE,
    },
  });
});
afterAll(() => removeVolume(docker, RUN));

it("leaves what a stopped service comes back to alone, and says so", async () => {
  const { code, stdout, stderr } = await runBerth(["gc", "--dry-run"], options());

  expect(code).toBe(0);
  expect(stdout).not.toContain(RUN);
  expect(stderr).toContain(`1 object of the service ${SERVICE} left alone`);
  expect(stderr).toContain("berth gc --service");
});

it.each([[["gc", "--dry-run", "--service"]], [["gc", RUN, "--dry-run"]]])(
  "removes it with %j",
  async (args) => {
    const { stdout, stderr } = await runBerth(args, options());

    expect(stdout).toContain(`would remove what is left of job ${RUN}.job`);
    expect(stderr).not.toContain(SERVICE);
  },
);

function options() {
  return { cwd: import.meta.dirname, env: { XDG_STATE_HOME: process.env.XDG_STATE_HOME } };
}
