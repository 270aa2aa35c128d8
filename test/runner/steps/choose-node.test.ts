import { describe, expect, it } from "@jest/globals";
import { openLocalPlace } from "../../../runner/job/local-place.ts";
import type { ShellFacts } from "../../../runner/shell/shell.ts";
import { aJob, mapping, run } from "../job/job-fixture.ts";
import { actionsFixture, uses } from "./actions-fixture.ts";

/** Which program is started for an action, in a container whose shell says these facts. */
async function programFor(
  using: string,
  { facts = {}, env = {} }: { facts?: Partial<ShellFacts>; env?: { [name: string]: string } } = {},
) {
  await using fixture = await actionsFixture({
    "octo/it": { "action.yml": `runs: { using: ${using}, main: m.js }`, "m.js": "" },
  });
  const programs: (string | undefined)[] = [];
  const { annotations } = await run(aJob([uses("octo/it@v1", { env: mapping(env) })]), {
    actions: fixture.actions,
    async openPlace(request, options) {
      const place = await openLocalPlace(request, { ...options, env: process.env });
      const { shell } = place;
      const run: typeof shell.run = (command, how) => {
        if (command.argv.some((word) => word.endsWith("/m.js"))) programs.push(command.argv[0]);
        return shell.run(command, how);
      };
      const inContainer = { facts: { value: { ...shell.facts, ...facts } }, run: { value: run } };
      return {
        ...place,
        containerId: "abc",
        image: "alpine:3",
        shell: Object.create(shell, inContainer),
      };
    },
  });
  return { program: programs[0], annotations };
}

const ALLOW_20 = { ACTIONS_ALLOW_USE_UNSECURE_NODE_VERSION: "true" };
const FORCE_24 = { FORCE_JAVASCRIPT_ACTIONS_TO_NODE24: "true" };

describe("the Node of a JavaScript action", () => {
  it.each([
    ["node24", {}, "/__e/node24/bin/node"],
    ["node24", ALLOW_20, "/__e/node24/bin/node"],
    ["node20", {}, "/__e/node24/bin/node"],
    ["node20", ALLOW_20, "/__e/node20/bin/node"],
    ["node16", ALLOW_20, "/__e/node20/bin/node"],
  ])("for %s, with %o, is %s", async (using, env, expected) => {
    expect((await programFor(using, { env })).program).toBe(expected);
  });

  it("is the newer one, with a warning, when the author asks for both", async () => {
    const { program, annotations } = await programFor("node20", {
      env: { ...ALLOW_20, ...FORCE_24 },
    });

    expect(program).toBe("/__e/node24/bin/node");
    expect(annotations[0]).toMatch(/^warning: Both FORCE_.* environment variables are set to true/);
  });

  it("is the image's own where the image is made with musl", async () => {
    const facts = { libc: "musl", programs: { node: "/usr/bin/node" } } as const;

    expect((await programFor("node20", { facts })).program).toBe("/usr/bin/node");
  });

  it.each([
    ["musl", "is made with musl"],
    ["unknown", "has no glibc"],
  ] as const)(
    "is missing in an image with %s that has none, which is said with what to do",
    async (libc, why) => {
      const { program, annotations } = await programFor("node20", {
        facts: { libc, programs: {} },
      });

      expect(program).toBeUndefined();
      expect(annotations).toEqual([
        expect.stringMatching(new RegExp(`^error: The image alpine:3 ${why}.*apk add nodejs`)),
      ]);
    },
  );
});
