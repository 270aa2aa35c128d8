import { expect, it } from "@jest/globals";
import { capabilityOf } from "../../../src/hosts/capability-of.ts";
import { aMachine, anEngine } from "./host-facts.ts";

it("offers the default engine, and the rootless one beside it", () => {
  const rootless = anEngine({
    endpoint: "unix:///run/user/1000/docker.sock",
    rootless: true,
    isDefault: false,
  });
  const facts = aMachine({ engines: [anEngine(), rootless] });

  expect(capabilityOf(facts, "gpu-1").engines.map((engine) => engine.rootless)).toEqual([
    false,
    true,
  ]);
  expect(capabilityOf(facts, "gpu-1", { onlyDefault: true }).engines).toHaveLength(1);
});

it("believes no engine that was found to enforce no limits", () => {
  const engines = [anEngine({ proved: { limits: "It has none." } })];

  expect(capabilityOf(aMachine({ engines }), "gpu-1").engines[0]?.enforcesLimits).toBe(false);
});

it("takes clones of one disk for two machines, and two hosts of one machine for one", () => {
  const idOf = (machineId: string | null, bootId: string) =>
    capabilityOf(aMachine({ engines: [anEngine()], machineId, bootId }), "x").machineId;

  expect(idOf("m", "1")).toBe(idOf("m", "1"));
  expect(idOf("m", "1")).not.toBe(idOf("m", "2"));
  expect(idOf("m", "1")).not.toBe(idOf("n", "1"));
  expect(idOf(null, "1")).toBeNull();
});

it.each([
  ["nothing", {}, "The host gpu-1 cannot run jobs: no container engine was found there."],
  [
    "Docker that does not run",
    { programs: { dockerd: "/usr/bin/dockerd" } },
    "The host gpu-1 cannot run jobs: Docker is installed there, and does not run.",
  ],
  [
    "another kind",
    { engines: [anEngine({ isDefault: false })] },
    "The host gpu-1 cannot run jobs: it has only unix:///var/run/docker.sock, which is not of the kind that `engine:` asks for.",
  ],
  [
    "a broken one",
    {
      engines: [
        anEngine({ usable: false, reason: "This user may not open /var/run/docker.sock." }),
      ],
    },
    "The host gpu-1 cannot run jobs: This user may not open /var/run/docker.sock.",
  ],
])("says of a host with %s why it cannot run jobs", (_, facts, message) => {
  expect(() => capabilityOf(aMachine(facts), "gpu-1")).toThrow(message);
});
