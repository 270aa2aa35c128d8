import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { executeJob } from "../../runner/job/execute-job.ts";
import { containerPlaces } from "../../src/container-places.ts";
import type { HostAccess } from "../../src/hosts/host-access.ts";
import { openHost } from "../../src/hosts/open-host.ts";
import { jobImage } from "../engine.ts";
import { type HostMachine, startHostMachine } from "../host-machines.ts";
import { aJob, ex, mapping } from "../runner/job/job-fixture.ts";

const never = new AbortController().signal;
const COUNT = "i=0; while [ $i -lt 600 ]; do i=$((i + 1)); echo line $i; sleep 0.005; done";
const CUT = "pkill -KILL -f '^sshd: root'";
let machine: HostMachine;
let host: HostAccess;

beforeAll(async () => {
  machine = await startHostMachine({ name: "cut", jobImage: true });
  const { address, port, identityFile, hostKey } = machine;
  host = await openHost(
    { name: "cut", ssh: { destination: `root@${address}:${port}`, identityFile, hostKey } },
    { connect: { env: {}, home: "/nonexistent", uid: 0, stateDir: "/nonexistent" } },
  );
}, 120_000);
afterAll(async () => {
  await host?.[Symbol.asyncDispose]();
  await machine?.[Symbol.asyncDispose]();
});

it("costs a job nothing when its SSH connection is cut, again and again", async () => {
  const image = await jobImage();
  const engine = await host.engine(undefined, never);
  const lines: string[] = [];
  const cuts: unknown[] = [];
  const result = await executeJob(
    aJob([
      {
        id: "count",
        run: `echo value >> "$HOME/once"; ${COUNT}; echo answer=42 >> "$GITHUB_OUTPUT"`,
      },
      {
        run: 'echo "got $ANSWER $(cat "$HOME/once")"',
        env: mapping({ ANSWER: ex("steps.count.outputs.answer") }),
      },
    ]),
    {
      openPlace: containerPlaces({
        engine,
        hostName: "cut",
        imageFor: () => image,
        onLeak: (leak) => console.error("left behind", leak),
        onCut: (cut) => cuts.push(cut?.code),
      }),
      report(event) {
        if (event.type !== "log") return;
        lines.push(event.line);
        if (/^line (?:100|101|300)$/.test(event.line)) void machine.exec(CUT).catch(() => {});
      },
    },
    never,
  );

  expect(result).toMatchObject({ conclusion: "success" });
  expect(lines.filter((line) => line.startsWith("line "))).toEqual(
    Array.from({ length: 600 }, (_, index) => `line ${index + 1}`),
  );
  expect(lines).toContain("got 42 value");
  expect(cuts).toContain("SHELL_LOST");
  expect(await machine.exec("docker ps -aq")).toMatchObject({ stdout: "" });
}, 90_000);
