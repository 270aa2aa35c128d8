import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import type { MachineShell } from "../../../../src/hosts/machine-shell.ts";
import { type SetupAnswer, setupOnDemand } from "../../../../src/hosts/setup/setup-on-demand.ts";
import type { SetupWish } from "../../../../src/hosts/setup/setup-plan.ts";
import type { SetupEvent } from "../../../../src/hosts/setup-step.ts";
import { type HostMachine, startHostMachine } from "../../../host-machines.ts";
import { sshShell } from "./ssh-shell.ts";

const signal = new AbortController().signal;

describe.each(["docker", "rootless"] as const)("a bare Debian that is given %s", (engine) => {
  let machine: HostMachine;
  let shell: MachineShell;

  beforeAll(async () => {
    machine = await startHostMachine({ name: `setup-${engine}`, engine: false });
    shell = sshShell(machine, "ubuntu");
  });
  afterAll(async () => await machine?.[Symbol.asyncDispose]());

  it("has an engine that runs containers afterwards", async () => {
    const answer = await setUp(shell, engine);

    expect(answer.error).toBeUndefined();
    expect(answer).toMatchObject({ ok: true, engine });
  });

  it("lacks nothing the second time", async () => {
    const answer = await setUp(shell, engine);

    expect(new Set(answer.attempts.map(({ outcome }) => outcome))).toEqual(new Set(["present"]));
  });
});

function setUp(shell: MachineShell, engine: SetupWish["engine"]): Promise<SetupAnswer> {
  const report = (event: SetupEvent) => {
    if (process.env.SHOW) process.stderr.write(`${JSON.stringify(event)}\n`);
  };
  return setupOnDemand(
    { name: "bare", shell },
    {
      mode: "auto",
      allow: [engine ?? "docker"],
      wish: { engine, nvidia: false },
      report,
      signal,
    },
  );
}
