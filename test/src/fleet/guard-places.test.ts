import { expect, it } from "@jest/globals";
import type { ExecuteJobDeps, JobPlace } from "../../../runner/job/execute-job.ts";
import type { ServiceSpec, Siblings } from "../../../runner/job/siblings.ts";
import { Policy } from "../../../src/config/policy.ts";
import { guardPlaces } from "../../../src/fleet/guard-places.ts";

type Request = Parameters<ExecuteJobDeps["openPlace"]>[0];
type Options = Parameters<ExecuteJobDeps["openPlace"]>[1];

const policy = Policy.parse({ images: ["node:*"] });
const OPTIONS = {} as Options;

/** A place that remembers what it was asked for. */
function guarded() {
  const asked: string[] = [];
  const siblings = {
    pullImage: async (image: string) => void asked.push(`pull ${image}`),
    startServices: async () => void asked.push("services"),
  } as unknown as Siblings;
  const place = {
    siblings,
    [Symbol.asyncDispose]: async () => void asked.push("disposed"),
  } as unknown as JobPlace;
  const open = guardPlaces(
    async () => {
      asked.push("opened");
      return place;
    },
    { policy, profile: undefined },
  );
  return { open, asked };
}

const request = (container?: object) =>
  ({ jobId: "7-1.a", repository: "app", ...(container && { container }) }) as unknown as Request;

it("opens no place whose image, come out of an expression, is not allowed", async () => {
  const { open, asked } = guarded();

  await expect(open(request({ image: "evil:1" }), OPTIONS)).rejects.toMatchObject({
    code: "POLICY_DENIED",
    message: expect.stringContaining("Denied by policy.images: "),
  });
  expect(asked).toEqual([]);
});

it("lets through what is allowed, and disposes of the place itself", async () => {
  const { open, asked } = guarded();

  {
    await using place = await open(
      request({ image: "node:24", options: "", env: {}, ports: [], volumes: [] }),
      OPTIONS,
    );
    await place.siblings?.pullImage("node:22", {} as never);
  }

  expect(asked).toEqual(["opened", "pull node:22", "disposed"]);
});

it("pulls no image, and starts no services, that are not allowed", async () => {
  const { open, asked } = guarded();
  const { siblings } = await open(request(), OPTIONS);
  const services = [{ name: "db", image: "evil:1" }] as unknown as readonly ServiceSpec[];

  await expect(siblings?.pullImage("evil:1", {} as never)).rejects.toThrow("policy.images");
  await expect(siblings?.startServices(services, {} as never)).rejects.toThrow("policy.images");
  expect(asked).toEqual(["opened"]);
});
