import { afterAll, afterEach, beforeAll, describe, expect, it } from "@jest/globals";
import type {
  CheckAnnotation,
  CheckRunState,
  Installation,
} from "../../../src/github/installation.ts";
import type { LocalHub } from "../../../src/localhub/local-hub.ts";
import { startLocalHub } from "../../../src/localhub/start-local-hub.ts";
import { openApp, refusalOf } from "./opened-app.ts";

const QUEUED: CheckRunState = {
  status: "queued",
  title: "Waits",
  summary: "for a host",
  actions: [],
};

let hub: LocalHub;
let app: ReturnType<typeof openApp>;
let octo: Installation;
let headSha: string;
let tests = 0;

beforeAll(async () => {
  const repositories = [{ name: "hello", files: { a: "" } }];
  const permissions = { metadata: "read", contents: "read", checks: "read" };
  hub = await startLocalHub({
    organizations: [
      { login: "octo", repositories },
      { login: "narrow", repositories: [{ name: "hello", files: { a: "" } }], permissions },
    ],
  });
  headSha = await hub.commit("octo/hello", { branch: "main", message: "1", files: { b: "" } });
  app = openApp(hub);
  octo = app.installation(hub.installationIdOf("octo"));
});

afterEach(() => hub.setFaults({}));

afterAll(async () => {
  await app[Symbol.asyncDispose]();
  await hub[Symbol.asyncDispose]();
});

/** Another check for each test. */
function aCheck() {
  tests += 1;
  return { name: "Berth / build", externalId: `test ${tests}`, headSha };
}

function annotations(count: number): CheckAnnotation[] {
  return Array.from({ length: count }, (_, at) => ({
    ...{ path: "a", startLine: at + 1, endLine: at + 1, level: "warning", message: `m${at}` },
  }));
}

function checksOf({ externalId }: { externalId: string }) {
  return hub.checkRuns().filter((check) => check.externalId === externalId);
}

/** Lets the first request of a method fail, and those after it pass. */
function failFirst(method: string, fault: "error" | "errorAfter" | "tooMany"): void {
  let isFirst = true;
  const when = (asked: string, path: string) => {
    const isIt = asked === method && path.includes("/check-runs") && isFirst;
    if (isIt) isFirst = false;
    return isIt;
  };
  hub.setFaults({ api: { [fault]: 1, when, retryAfterSeconds: 1 } });
}

describe("making a check run", () => {
  for (const fault of ["error", "errorAfter", "tooMany"] as const) {
    it(`makes one, whatever happens to the first request: ${fault}`, async () => {
      const check = aCheck();
      failFirst("POST", fault);

      const id = await octo.createCheckRun("octo/hello", check, QUEUED);

      expect(checksOf(check)).toMatchObject([{ id, name: "Berth / build", title: "Waits" }]);
    });
  }

  it("finds the one of an earlier life and has it show what is so now", async () => {
    const check = aCheck();
    const earlier = await octo.createCheckRun("octo/hello", check, QUEUED);
    const other = await octo.createCheckRun(
      "octo/hello",
      { ...check, externalId: "other" },
      QUEUED,
    );

    const id = await octo.createCheckRun("octo/hello", check, { ...QUEUED, title: "Still waits" });

    expect(id).toBe(earlier);
    expect(other).not.toBe(earlier);
    expect(checksOf(check).map(({ title }) => title)).toEqual(["Still waits"]);
  });

  it("says so when GitHub stays down", async () => {
    const check = aCheck();
    hub.setFaults({ api: { error: 1, when: (method) => method === "POST" } });

    expect(await refusalOf(octo.createCheckRun("octo/hello", check, QUEUED))).toMatch(
      /^GITHUB_UNREACHABLE\n.*answered 502: Server Error\.\n.*try again later/,
    );
  });
});

describe("annotations", () => {
  it("go out in batches of 50, in order", async () => {
    const check = aCheck();
    const id = await octo.createCheckRun("octo/hello", check, QUEUED);

    await octo.updateCheckRun("octo/hello", id, QUEUED, annotations(120));

    expect(await octo.countAnnotations("octo/hello", id)).toBe(120);
    expect(checksOf(check)[0]?.annotations.map(({ message }) => message)).toEqual(
      annotations(120).map(({ message }) => message),
    );
  });

  for (const fault of ["error", "errorAfter", "tooMany"] as const) {
    it(`are neither lost nor doubled when a batch fails: ${fault}`, async () => {
      const check = aCheck();
      const id = await octo.createCheckRun("octo/hello", check, QUEUED);
      let updates = 0;
      const when = (method: string) => {
        if (method === "PATCH") updates += 1;
        return method === "PATCH" && updates === 2;
      };
      hub.setFaults({ api: { [fault]: 1, when } });

      await octo.updateCheckRun("octo/hello", id, QUEUED, annotations(120));

      expect(checksOf(check)[0]?.annotations.map(({ message }) => message)).toEqual(
        annotations(120).map(({ message }) => message),
      );
    });
  }

  it("can be gone on with by a later life", async () => {
    const check = aCheck();
    const id = await octo.createCheckRun("octo/hello", check, QUEUED);
    let updates = 0;
    const when = (method: string) => {
      if (method === "PATCH") updates += 1;
      return method === "PATCH" && updates >= 2;
    };
    hub.setFaults({ api: { error: 1, when } });
    const all = annotations(120);
    await refusalOf(octo.updateCheckRun("octo/hello", id, QUEUED, all));
    hub.setFaults({});

    const sent = await octo.countAnnotations("octo/hello", id);
    await octo.updateCheckRun("octo/hello", id, QUEUED, all.slice(sent));

    expect(sent).toBe(50);
    expect(checksOf(check)[0]?.annotations.length).toBe(120);
  });
});

it("updates everything, too long texts and too many buttons too", async () => {
  const check = aCheck();
  const id = await octo.createCheckRun("octo/hello", check, QUEUED);
  const action = {
    label: "Cancel this very job",
    description: "d".repeat(60),
    identifier: "cancel",
  };

  await octo.updateCheckRun(
    "octo/hello",
    id,
    {
      ...{
        status: "completed",
        conclusion: "failure",
        title: "Failed",
        startedAtMs: 1,
        completedAtMs: 2,
      },
      ...{ summary: "ü".repeat(70_000), text: "line\n".repeat(20_000) },
      actions: [action, action, action, action],
    },
    [
      {
        path: "",
        startLine: 0,
        endLine: 3,
        startColumn: 1,
        level: "failure",
        message: "",
        title: "",
      },
    ],
  );

  const [made] = checksOf(check);
  expect(made).toMatchObject({ status: "completed", conclusion: "failure", title: "Failed" });
  expect(made?.text).toMatch(/line\n\n_The rest is left out: GitHub shows no more\._$/);
  expect(made?.actions).toHaveLength(3);
  expect(made?.annotations).toMatchObject([{ path: ".github", start_line: 1, end_line: 3 }]);
});

it("names the permission that is missing", async () => {
  const narrow = app.installation(hub.installationIdOf("narrow"));

  expect(
    await refusalOf(
      narrow.createCheckRun("narrow/hello", { ...aCheck(), headSha: "main" }, QUEUED),
    ),
  ).toBe(
    `GITHUB_REFUSED
Creating the check run "Berth / build" in narrow/hello: ${hub.apiUrl} answered 403: Resource not accessible by integration.
Give the App checks: write on its page under "Permissions & events", then accept that where it is installed.`,
  );
});
