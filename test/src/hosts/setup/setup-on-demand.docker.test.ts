import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import type { MachineShell } from "../../../../src/hosts/machine-shell.ts";
import { lockSetup } from "../../../../src/hosts/setup/setup-lock.ts";
import {
  type OnDemandOptions,
  setupOnDemand,
} from "../../../../src/hosts/setup/setup-on-demand.ts";
import { type HostMachine, startHostMachine } from "../../../host-machines.ts";
import { sshShell } from "./ssh-shell.ts";

const ROOTLESS = { engine: "rootless", nvidia: false } as const;

/** It has Docker's packages, and runs the system's; of a rootless engine nothing is set up. */
describe("a machine with an engine, whose ordinary user is given a rootless one", () => {
  let machine: HostMachine;
  let shell: MachineShell;

  beforeAll(async () => {
    machine = await startHostMachine({ name: "setup" });
    await machine.exec("sed -i /ubuntu/d /etc/subuid /etc/subgid; chmod 600 /dev/net/tun");
    shell = sshShell(machine, "ubuntu");
  });
  afterAll(async () => await machine?.[Symbol.asyncDispose]());

  it("is told what would be done, and is not changed", async () => {
    const answer = await setUp({ mode: "plan" });

    expect(answer).toMatchObject({ ok: false, engine: "rootless" });
    expect(answer.attempts.map(({ step, outcome }) => `${outcome} ${step}`)).toEqual([
      "planned Give ubuntu ids for containers",
      "planned Open /dev/net/tun",
      "planned Write what keeps the engine running",
      "planned Start the engine",
      "planned Run a container",
    ]);
    const { stdout } = await machine.exec("cat /etc/subuid; ls /home/ubuntu/.local");
    expect(stdout).toBe("");
  });

  it("is not set up twice at the same time", async () => {
    await using _other = await lockSetup(shell, { signal: new AbortController().signal });

    const answer = await setUp({ mode: "auto" });

    expect(answer.error?.message).toBe("Another set-up of this machine is under way.");
    expect(new Set(answer.attempts.map(({ outcome }) => outcome))).toEqual(new Set(["skipped"]));
  });

  it("goes on where it was interrupted, and runs containers then", async () => {
    const cancel = new AbortController();
    const interrupted = setUp({
      mode: "auto",
      signal: cancel.signal,
      report: ({ type, name }) => {
        if (type === "step_started" && name === "Open /dev/net/tun") {
          cancel.abort(new Error("enough"));
        }
      },
    });
    await expect(interrupted).rejects.toThrow("enough");

    const answer = await setUp({ mode: "auto" });

    expect(answer.error).toBeUndefined();
    expect(answer).toMatchObject({ ok: true, engine: "rootless" });
    expect(answer.attempts.map(({ step }) => step)).toEqual([
      "Open /dev/net/tun",
      "Write what keeps the engine running",
      "Start the engine",
      "Run a container",
    ]);
  });

  it("lacks nothing the second time", async () => {
    const answer = await setUp({ mode: "auto" });

    expect(answer.attempts.map(({ step, outcome }) => `${outcome} ${step}`)).toEqual([
      "present Run a container",
    ]);
  });

  it("has its engine again when that was killed", async () => {
    const answers = "docker -H unix:///home/ubuntu/.docker/run/docker.sock info -f {{.ID}}";
    const script = `pid=$(cat .docker/run/docker.pid); kill -9 $pid
      while kill -0 $pid; do sleep 0.1; done
      timeout 30 sh -c 'until ${answers}; do sleep 0.2; done' && [ "$pid" != "$(cat .docker/run/docker.pid)" ]`;

    const { exitCode } = await shell.run(script, { signal: AbortSignal.timeout(60_000) });

    expect(exitCode).toBe(0);
  });

  it("leaves the engine that was there alone", async () => {
    const { stdout } = await machine.exec("docker version -f {{.Server.Os}}");

    expect(stdout).toBe("linux\n");
  });

  function setUp(options: Pick<OnDemandOptions, "mode"> & Partial<OnDemandOptions>) {
    return setupOnDemand(
      { name: "far", shell },
      {
        allow: ["rootless"],
        wish: ROOTLESS,
        signal: new AbortController().signal,
        ...options,
      },
    );
  }
});
