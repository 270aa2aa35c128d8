import { expect, it } from "@jest/globals";
import type { JobDescription } from "../../../runner/job/job-description.ts";
import { Policy } from "../../../src/config/policy.ts";
import { Profile } from "../../../src/config/profile.ts";
import { admitJob } from "../../../src/fleet/admit-job.ts";
import { createClaim } from "../../../src/fleet/claim.ts";
import { aJob } from "../../runner/job/job-fixture.ts";

const profiles = {
  big: Profile.parse({
    needs: { cpus: 8 },
    container: { image: "node:24", name: "big-$" + "{run_id}", user: "1000:1000" },
    ...{ maxMinutes: 30, retries: 1, priority: 5 },
  }),
};
const policy = Policy.parse({ images: ["node:*"] });

const admit = (job: Partial<JobDescription>) =>
  admitJob(aJob([], { labels: ["berth"], ...job }), {
    ...{ repository: "acme/app", policy, claim: createClaim({ profiles, claim: "named" }) },
  });

it("takes from a profile what the job needs, its container, and how often and long it may run", async () => {
  const job = await admit({ labels: ["big"], timeoutMinutes: 90, runId: "7-1" });

  expect(job).toMatchObject({
    ...{ image: "node:24", retries: 1, priority: 5, repository: "acme/app" },
    need: { cpus: 8, profile: "big" },
    description: { timeoutMinutes: 30 },
    profile: profiles.big,
    settings: { user: "1000:1000" },
  });
});

it("gives legs of a matrix containers of different names", async () => {
  const names = await Promise.all(
    ["7-1.a.1", "7-1.a.2"].map(async (id) => {
      const job = await admit({ labels: ["big"], id });
      return "settings" in job ? job.settings?.name : undefined;
    }),
  );

  expect(new Set(names).size).toBe(2);
  expect(names[0]).toMatch(/^big-run-1/);
});

it("lets a job without a profile run six hours at most", async () => {
  expect(await admit({ timeoutMinutes: 1000 })).toMatchObject({
    ...{ retries: 0, priority: 0, description: { timeoutMinutes: 360 } },
  });
});

it.each<[string, Partial<JobDescription>, RegExp]>([
  ["labels that contradict each other", { labels: ["berth", "cpu=2", "cpu=4"] }, /number of CPUs/],
  ["labels that are gone", { labels: ["berth", "gone x"] }, /berth, gone x are known/],
  ["an image that is not allowed", { labels: ["berth", "image=evil"] }, /^Denied by policy.images/],
])("refuses %s in words", async (_, job, reason) => {
  expect(await admit(job)).toEqual({ reason: expect.stringMatching(reason) });
});

it("tells the name of the job's environment", async () => {
  expect(await admit({ environment: "prod" })).toMatchObject({ environment: "prod" });
  expect(await admit({ environment: { map: [["name", "prod"]] } as never })).toMatchObject({
    environment: "prod",
  });
});
