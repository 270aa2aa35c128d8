import { describe, expect, it } from "@jest/globals";
import { applySetup, type SetupEvent, type SetupStep } from "../../../src/hosts/setup-step.ts";

const signal = new AbortController().signal;

describe("applySetup", () => {
  it("touches nothing on a machine that lacks nothing", async () => {
    const machine = new Set(["engine", "image"]);

    const events = await apply([installs("engine", machine), installs("image", machine)]);

    expect(events.map(({ type }) => type)).toEqual(["step_present", "step_present"]);
  });

  it("applies only what is missing, in order", async () => {
    const machine = new Set(["packages"]);

    const events = await apply(["packages", "engine", "image"].map((n) => installs(n, machine)));

    expect([...machine]).toEqual(["packages", "engine", "image"]);
    expect(events.map(({ type, name }) => `${type} ${name}`)).toEqual([
      "step_present packages",
      "step_started engine",
      "step_progress engine",
      "step_done engine",
      "step_started image",
      "step_progress image",
      "step_done image",
    ]);
  });

  it("does nothing the second time", async () => {
    const machine = new Set<string>();
    const plan = [installs("engine", machine)];
    await apply(plan);

    const events = await apply(plan);

    expect(events).toEqual([{ type: "step_present", name: "engine" }]);
  });

  it("stops at the step that fails, and goes on from there the next time", async () => {
    const machine = new Set<string>();
    const broken: SetupStep = {
      ...installs("image", machine),
      apply: () => Promise.reject(new Error("disk full")),
    };

    await expect(apply([installs("engine", machine), broken])).rejects.toThrow("disk full");
    const events = await apply([installs("engine", machine), installs("image", machine)]);

    expect(events[0]).toEqual({ type: "step_present", name: "engine" });
    expect([...machine]).toEqual(["engine", "image"]);
  });

  it("does not believe a step that ran without an error and changed nothing", async () => {
    const liar: SetupStep = { ...installs("engine", new Set()), apply: async () => {} };

    await expect(apply([liar])).rejects.toMatchObject({ code: "SETUP_FAILED" });
  });
});

function installs(name: string, machine: Set<string>): SetupStep {
  return {
    name,
    why: "a test wants it",
    commands: [`install ${name}`],
    isDone: async () => machine.has(name),
    async apply({ progress }) {
      progress("installing");
      machine.add(name);
    },
  };
}

async function apply(steps: SetupStep[]): Promise<SetupEvent[]> {
  const events: SetupEvent[] = [];
  await applySetup(steps, { report: (event) => events.push(event), signal });
  return events;
}
