import { describe, expect, it } from "@jest/globals";
import { chooseEngines } from "../../../../src/containers/pods/choose-engine.ts";
import type { PodEngine } from "../../../../src/containers/pods/pod-host.ts";

const system: PodEngine = {
  kind: "docker",
  endpoint: "unix:///run/docker.sock",
  rootless: false,
  usable: true,
  enforcesLimits: true,
};
const rootless: PodEngine = {
  ...system,
  endpoint: "unix:///run/user/1/docker.sock",
  rootless: true,
};

const choose = (engines: PodEngine[], options: { sudo?: boolean; limits?: boolean } = {}) =>
  chooseEngines(engines, {
    host: "gpu-1",
    allowsSudo: options.sudo ?? true,
    needsLimits: options.limits ?? false,
  });

describe("chooseEngines", () => {
  it("takes the rootless engine first, whatever the order", () => {
    const [first, second] = choose([system, rootless]);

    expect(first).toEqual({ engine: rootless, fallbackReason: null });
    expect(second?.engine).toBe(system);
  });

  it("falls back to the system's engine and says why", () => {
    const broken = { ...rootless, usable: false, reason: "it does not answer" };

    expect(choose([system])[0]?.fallbackReason).toBe("gpu-1 has no rootless engine.");
    expect(choose([broken, system])[0]?.fallbackReason).toMatch(/not usable: it does not answer/);
  });

  it("prefers an engine that enforces limits where some are asked for", () => {
    const lax = { ...rootless, enforcesLimits: false };

    expect(choose([lax, system], { limits: true })[0]).toEqual({
      engine: system,
      fallbackReason: "The rootless engine of gpu-1 cannot enforce limits of memory and CPUs.",
    });
    expect(choose([lax, system], { limits: true, sudo: false })[0]?.engine).toBe(lax);
  });

  it("refuses the system's engine with --no-sudo, and a machine without any", () => {
    expect(() => choose([system], { sudo: false })).toThrow(/--no-sudo keeps off unix:/);
    expect(() => choose([])).toThrow(/has no container engine/);
  });
});
