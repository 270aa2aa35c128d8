import { expect, it } from "@jest/globals";
import { openProver } from "../../../src/hosts/prove-host.ts";
import { aMachine, anEngine } from "./host-facts.ts";

const { signal } = new AbortController();
const WEAK = "A container was to have at most 1 byte of memory, and the limit it has is none.";

it("tries an engine once, and again when it is another version", async () => {
  const tried: string[] = [];
  const prover = openProver({
    async limits(endpoint) {
      tried.push(endpoint);
      return true;
    },
  });
  const engine = anEngine({ id: "A" });

  const first = await prover.prove(aMachine({ engines: [engine] }), signal);
  await prover.prove(aMachine({ engines: [engine] }), signal);
  await prover.prove(aMachine({ engines: [{ ...engine, version: "29.0.0" }] }), signal);

  expect(first.engines).toMatchObject([{ proved: { limits: true } }]);
  expect(tried).toHaveLength(2);
});

it("warns of an engine that takes limits and does not enforce them", async () => {
  const prover = openProver({ limits: async () => WEAK });

  const { engines, warnings } = await prover.prove(aMachine({ engines: [anEngine()] }), signal);

  expect(engines).toMatchObject([{ proved: { limits: WEAK } }]);
  expect(warnings).toMatchObject([{ message: expect.stringContaining(WEAK) }]);
});

it("does not try what cannot be used, nor limits where the engine itself says that it has none", async () => {
  const prover = openProver({ limits: () => Promise.reject(new Error("must not be tried")) });
  const engines = [anEngine({ usable: false }), anEngine({ enforcesLimits: false })];

  const facts = await prover.prove(aMachine({ engines }), signal);

  expect(facts.engines.map(({ proved }) => proved?.limits)).toEqual([
    undefined,
    "The engine says that it enforces no limits.",
  ]);
  expect(facts.warnings).toEqual([]);
});

it("tries again what could not be tried, and keeps why a daemon did not start", async () => {
  let attempts = 0;
  const prover = openProver({
    async limits() {
      attempts += 1;
      if (attempts === 1) throw new Error("the engine is being restarted");
      return true;
    },
    dind: async () => ({ rootless: "It may mount nothing." }),
  });
  const machine = aMachine({ engines: [anEngine()] });

  const first = await prover.prove(machine, signal);
  const second = await prover.prove(machine, signal);

  expect(first.engines[0]).not.toHaveProperty("proved");
  expect(second.engines[0]?.proved).toEqual({
    limits: true,
    dind: { rootless: "It may mount nothing." },
  });
});
