import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import type { MachineShell } from "../../../../src/hosts/machine-shell.ts";
import {
  type OnDemandOptions,
  type SetupAnswer,
  setupOnDemand,
} from "../../../../src/hosts/setup/setup-on-demand.ts";
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

describe("a set-up that is interrupted while packages are installed", () => {
  it("leaves nothing that keeps services from starting, and goes on the next time", async () => {
    await using machine = await startHostMachine({ name: "setup-cut", engine: false });
    const shell = sshShell(machine, "ubuntu");
    const cancel = new AbortController();
    const report = (event: SetupEvent) => {
      if (event.type === "step_progress" && event.line.startsWith("Unpacking")) {
        cancel.abort(new Error("enough"));
      }
    };

    await expect(setUp(shell, "docker", { report, signal: cancel.signal })).rejects.toThrow(
      "enough",
    );
    const { exitCode } = await machine.exec("test -e /usr/sbin/policy-rc.d");
    const answer = await setUp(shell, "docker");

    expect(exitCode).toBe(1);
    expect(answer.error).toBeUndefined();
    expect(answer).toMatchObject({ ok: true, engine: "docker" });
  });
});

describe("a rootless engine that does not start", () => {
  it("is followed by the system's Docker, with the reason", async () => {
    await using machine = await startHostMachine({ name: "setup-fall" });
    await machine.exec(
      "printf '#!/bin/sh\\necho no namespaces today >&2; exit 1\\n' > /usr/local/bin/rootlesskit; chmod 755 /usr/local/bin/rootlesskit",
    );

    const answer = await setUp(sshShell(machine, "ubuntu"), "rootless", {
      allow: ["rootless", "docker"],
    });

    expect(answer).toMatchObject({ ok: true, engine: "docker" });
    expect(answer.fallbackReason).toContain("no namespaces today");
    expect(answer.attempts.map(({ part, step, outcome }) => `${outcome} ${part} ${step}`)).toEqual([
      "done rootless Write what keeps the engine running",
      "failed rootless Start the engine",
      "skipped rootless Run a container",
      "present docker Run a container",
    ]);
  });
});

function setUp(
  shell: MachineShell,
  engine: SetupWish["engine"],
  options: Partial<OnDemandOptions> = {},
): Promise<SetupAnswer> {
  return setupOnDemand(
    { name: "bare", shell },
    {
      mode: "auto",
      allow: [engine ?? "docker"],
      wish: { engine, nvidia: false },
      signal,
      ...options,
    },
  );
}
