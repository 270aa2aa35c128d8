import { expect, it } from "@jest/globals";
import { dindOfTerms } from "../../src/dind-of-terms.ts";
import { testEngine } from "../engine.ts";

const need = { gpus: 0, rootless: false };
const work = { stateFolder: "/nowhere" };

it("gives a daemon to jobs alone that ask for one", async () => {
  const engine = await testEngine();

  expect(dindOfTerms(engine, { need: { ...need, dind: false } }, work)).toBeUndefined();
  expect(dindOfTerms(engine, { need: { ...need, dind: true } }, work)?.mode).toBe("rootless");
});

it("has the lines for berth.yml that allow another mode, for the job's profile", async () => {
  const engine = await testEngine();
  const terms = {
    need: { ...need, dind: true, profile: "builds" },
    dind: { mode: "rootless" as const },
  };

  const remedy = dindOfTerms(engine, terms, work)?.remedy;

  expect(remedy).toContain(
    [
      "policy:",
      "  privileged: allow",
      "profiles:",
      "  builds:",
      "    needs: { dind: true }",
      "    dind: { mode: capabilities }",
    ].join("\n"),
  );
});
