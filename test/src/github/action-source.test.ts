import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request as httpRequest } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { createActionSource } from "../../../src/github/action-source.ts";
import { createGitHubClient, type GitHubClientOptions } from "../../../src/github/github-client.ts";
import type { LocalAction } from "../../../src/github/local-repository.ts";
import { openActionCache } from "../../../src/store/action-cache.ts";
import { close, type FakeGitHub, fakeGitHub, listen, send } from "./fake-github.ts";
import { githubTarball } from "./tarball.ts";

const FIRST = "1".repeat(40);
const SECOND = "2".repeat(40);
const TOKEN = "ghp_0123456789abcdef";
let first: Buffer;
let second: Buffer;
beforeAll(async () => {
  first = await githubTarball({ "action.yml": "name: first" });
  second = await githubTarball({ "action.yml": "name: second" });
});

let github: FakeGitHub;
let state: string;
let lines: string[];
beforeEach(async () => {
  github = await fakeGitHub();
  github.add("o/r", {
    refs: { "tags/v1": FIRST, "heads/main": SECOND, "heads/releases/v2": SECOND },
    archives: { [FIRST]: first, [SECOND]: second },
  });
  state = mkdtempSync(join(tmpdir(), "berth-source-"));
  lines = [];
});
afterEach(async () => {
  await github[Symbol.asyncDispose]();
  rmSync(state, { recursive: true, force: true });
});

describe("resolving", () => {
  it.each([
    ["v1", FIRST, "first"],
    ["main", SECOND, "second"],
    ["releases/v2", SECOND, "second"],
    ["refs/heads/main", SECOND, "second"],
    [FIRST, FIRST, "first"],
    [FIRST.toUpperCase(), FIRST, "first"],
  ])("takes %s for its commit, and downloads that", async (ref, commit, name) => {
    const fetched = await fetchAction(ref);

    expect(fetched).toMatchObject({ owner: "o", repo: "r", ref, commit });
    expect(readFileSync(join(fetched.folder, "action.yml"), "utf8")).toBe(`name: ${name}`);
  });

  it("takes the tag where a branch has the same name, as GitHub's runner does", async () => {
    github.add("o/r", {
      refs: { "heads/v1": SECOND, "tags/v1": FIRST },
      archives: { [FIRST]: first, [SECOND]: second },
    });

    expect((await fetchAction("v1")).commit).toBe(FIRST);
  });

  it("refuses a shortened commit and names the whole one", async () => {
    const fetched = fetchAction("1111111");

    await expect(fetched).rejects.toMatchObject({ code: "ACTION_NOT_FOUND" });
    await expect(fetched).rejects.toThrow(
      `Unable to resolve action \`o/r@1111111\`, the provided ref \`1111111\` is the shortened version of a commit SHA, which is not supported. Please use the full commit SHA \`${FIRST}\` instead.`,
    );
  });

  it.each([
    ["a ref", "o", "r", "v9", "Unable to resolve action `o/r@v9`, unable to find version `v9`."],
    ["a commit", "o", "r", "9".repeat(40), `unable to find version \`${"9".repeat(40)}\``],
    ["a repository", "o", "none", "v1", "`o/none@v1`, repository not found. Asked http"],
    ["a name", "o", "..", "v1", "no repository can be called o/.."],
    ["a name with a slash", "o/../x", "r", "v1", "no repository can be called o/../x/r"],
  ])("says which of them is missing: %s", async (_title, owner, repo, ref, says) => {
    const fetched = fetchAction(ref, { owner, repo });

    await expect(fetched).rejects.toMatchObject({ code: "ACTION_NOT_FOUND" });
    await expect(fetched).rejects.toThrow(says);
  });

  it("gives what an earlier life of the job got, whatever the branch says now", async () => {
    await using source = openSource();

    const fetched = await source.fetch("main", { commit: FIRST });

    expect(fetched.commit).toBe(FIRST);
    expect(github.asked.map(({ path }) => path)).not.toContain("/repos/o/r/commits/main");
  });

  it("asks once however many jobs name a branch, and downloads once", async () => {
    await using source = openSource();

    const fetched = await Promise.all(
      Array.from({ length: 5 }, (_, job) => source.fetch(job === 0 ? SECOND : "main")),
    );

    expect(new Set(fetched.map(({ folder }) => folder)).size).toBe(1);
    expect(askedFor("/repos/o/r/commits/main")).toBe(1);
    expect(askedFor(`/repos/o/r/tarball/${SECOND}`)).toBe(1);
  });

  it("goes on for the others when the job that asked first is cancelled", async () => {
    const cancel = new AbortController();
    github.trouble = (request) => {
      if (!request.url?.includes("tarball")) return false;
      github.trouble = undefined;
      cancel.abort();
      return true;
    };
    await using source = openSource();

    const [cancelled, other] = await Promise.allSettled([
      source.fetch("v1", { signal: cancel.signal }),
      source.fetch("v1"),
    ]);

    expect(cancelled.status).toBe("rejected");
    expect(other).toMatchObject({ status: "fulfilled", value: { commit: FIRST } });
  });
});

describe("the cache", () => {
  it("needs no network for a whole commit that is there", async () => {
    await fetchAction(FIRST);
    github.asked.length = 0;

    const fetched = await fetchAction(FIRST);

    expect(github.asked).toEqual([]);
    expect(readFileSync(join(fetched.folder, "action.yml"), "utf8")).toBe("name: first");
  });

  it("asks again in the next run what a branch stands for", async () => {
    await fetchAction("main");
    github.add("o/r", { refs: { "heads/main": FIRST }, archives: { [FIRST]: first } });

    expect((await fetchAction("main")).commit).toBe(FIRST);
  });

  it.each([
    ["does not answer", () => (github.trouble = (request) => request.destroy() !== undefined)],
    ["limits us", () => (github.trouble = (_request, response) => limitRate(response, 3600))],
    ["is in trouble", () => (github.trouble = (_request, response) => fail(response, 502))],
  ])("goes on with what a branch stood for when GitHub %s, and says so", async (_title, begin) => {
    await fetchAction("main");
    begin();

    const fetched = await fetchAction("main");

    expect(fetched.commit).toBe(SECOND);
    const today = new Date().toISOString().slice(0, 10);
    expect(lines.at(-1)).toMatch(/^##\[warning\]Resolving action 'o\/r@main': http/);
    expect(lines.at(-1)).toMatch(`Going on with o/r@main as it was on ${today}, commit ${SECOND}.`);
  });

  it.each([
    ["gone", 404],
    ["closed to the token", 401],
    ["closed", 403],
  ])("does not go on with a repository that is %s", async (_title, status) => {
    await fetchAction("main");
    github.trouble = (_request, response) => fail(response, status);

    await expect(fetchAction("main")).rejects.toThrow(/(resolve|Resolving) action .o\/r@main/);
  });

  it("does not take one server's archive for another's", async () => {
    await fetchAction(FIRST);
    await using other = await fakeGitHub();

    const fetched = fetchAction(FIRST, {}, { apiUrl: other.url });

    await expect(fetched).rejects.toThrow("repository not found");
  });
});

describe("the token", () => {
  it("goes to the server that it is for, and to no other", async () => {
    const elsewhere = await fakeGitHub();
    elsewhere.trouble = (_request, response) => {
      response.end(first);
      return true;
    };
    github.trouble = (request, response) => {
      if (!request.url?.includes("tarball")) return false;
      response.writeHead(302, { location: `${elsewhere.url}/archive?token=x` }).end();
      return true;
    };

    await fetchAction("v1", {}, { token: TOKEN });

    expect(github.asked[0]?.headers.authorization).toBe(`Bearer ${TOKEN}`);
    expect(elsewhere.asked).toHaveLength(1);
    expect(elsewhere.asked[0]?.headers.authorization).toBeUndefined();
    await elsewhere[Symbol.asyncDispose]();
  });

  it("goes along where a renamed repository has its new address", async () => {
    github.trouble = (request, response) => {
      if (!request.url?.startsWith("/repos/old/name/")) return false;
      response.writeHead(301, { location: request.url.replace("old/name", "o/r") }).end();
      return true;
    };

    await fetchAction("v1", { owner: "old", repo: "name" }, { token: TOKEN });

    expect(github.asked.every(({ headers }) => headers.authorization === `Bearer ${TOKEN}`)).toBe(
      true,
    );
  });

  it("is in no error, even where the server repeats it", async () => {
    github.trouble = ({ headers }, response) => {
      send(response, 403, { message: `no ${headers.authorization}` });
      return true;
    };

    const error = await fetchAction("v1", {}, { token: TOKEN }).catch((caught: unknown) => caught);

    expect(String(error)).toContain("answered 403: no Bearer ***.");
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain(TOKEN);
  });

  it("is refused without being shown when it cannot be one", async () => {
    const fetched = fetchAction("v1", {}, { token: "two\nlines" });

    await expect(fetched).rejects.toMatchObject({ code: "INPUT_INVALID" });
    await expect(fetched).rejects.not.toThrow("lines of");
    expect(github.asked).toEqual([]);
  });
});

describe("a server in trouble", () => {
  it("is asked three times, and then it is said what it answered", async () => {
    github.trouble = (_request, response) => fail(response, 503);

    const fetched = fetchAction("v1");

    await expect(fetched).rejects.toThrow(
      `Resolving action 'o/r@v1': ${github.url}/repos/o/r/commits/tags%2Fv1 answered 503: Trouble.`,
    );
    await expect(fetched).rejects.toMatchObject({ code: "ACTION_FETCH_FAILED" });
    expect(github.asked).toHaveLength(3);
    expect(lines[0]).toContain("answered 503: Trouble. Trying again in 1 s.");
  });

  it.each([
    ["5xx", (response: Response) => fail(response, 500)],
    ["a limit that is over soon", (response: Response) => limitRate(response, 0)],
    ["a torn connection", (response: Response) => response.destroy() !== undefined],
    [
      "a body that breaks off",
      (response: Response) => {
        response.writeHead(200, { "content-length": first.length });
        response.write(first.subarray(0, 100));
        setImmediate(() => response.destroy());
        return true;
      },
    ],
    [
      "a body that is cut short and says nothing of it",
      (response: Response) => {
        response.writeHead(200).end(first.subarray(0, first.length - 30));
        return true;
      },
    ],
    ["silence", () => true],
    [
      "silence in the middle",
      (response: Response) => {
        response.writeHead(200);
        response.write(first.subarray(0, 100));
        return true;
      },
    ],
    [
      "another's page",
      (response: Response) => {
        response.writeHead(200, { "content-type": "text/html" }).end("<p>Log in");
        return true;
      },
    ],
  ])("is asked again after %s", async (_title, trouble) => {
    let isFirst = true;
    github.trouble = (request, response) => {
      if (!request.url?.startsWith("/codeload/") || !isFirst) return false;
      isFirst = false;
      return trouble(response);
    };

    const fetched = await fetchAction("v1");

    expect(readFileSync(join(fetched.folder, "action.yml"), "utf8")).toBe("name: first");
    expect(lines.join("\n")).toContain("Trying again in");
  });

  it.each([
    ["its headers", (response: Response) => limitRate(response, 1800)],
    [
      "retry-after",
      (response: Response) => {
        send(response, 429, { message: "slow down" }, { "retry-after": "1800" });
        return true;
      },
    ],
    [
      "its words",
      (response: Response) => {
        send(
          response,
          403,
          { message: "You have exceeded a secondary rate limit." },
          { "retry-after": "1800" },
        );
        return true;
      },
    ],
  ])("says until when it limits us, by %s, and is not asked again", async (_title, limit) => {
    github.trouble = (_request, response) => limit(response);

    const fetched = fetchAction("v1");

    await expect(fetched).rejects.toThrow(
      /limits how often it is asked and will answer again at 20\d\d-/,
    );
    await expect(fetched).rejects.toMatchObject({ remedy: expect.stringContaining("--token") });
    expect(github.asked).toHaveLength(1);
  });

  it.each([
    [401, {}, "so it does not take the token: Trouble.", "Give a valid one"],
    [403, {}, "answered 403: Trouble.", "may read it, with --token"],
    [403, { "x-github-sso": "required" }, "answered 403", "single sign-on"],
    [418, {}, "answered 418: Trouble.", "Check that --github-url or --api-url"],
  ])("that answers %d is not asked again", async (status, headers, says, remedy) => {
    github.trouble = (_request, response) => {
      send(response, status, { message: "Trouble" }, headers);
      return true;
    };

    const fetched = fetchAction("v1");

    await expect(fetched).rejects.toThrow(says);
    await expect(fetched).rejects.toMatchObject({ remedy: expect.stringContaining(remedy) });
    expect(github.asked).toHaveLength(1);
  });

  it("may send commits as JSON only", async () => {
    github.trouble = (request, response) => {
      if (!request.url?.includes("/commits/")) return false;
      send(response, 200, { sha: FIRST });
      return true;
    };

    expect((await fetchAction("v1")).commit).toBe(FIRST);
  });

  it("that sends us in circles is left", async () => {
    github.trouble = (request, response) => {
      response.writeHead(302, { location: request.url ?? "/" }).end();
      return true;
    };

    await expect(fetchAction("v1")).rejects.toThrow(
      "sends from one address to the next without end",
    );
  });

  it("that sends us to a file is not followed", async () => {
    github.trouble = (_request, response) => {
      response.writeHead(302, { location: "file:///etc/passwd" }).end();
      return true;
    };

    await expect(fetchAction("v1")).rejects.toThrow("which is not safe to follow");
  });

  it("that is not there is named, with what to do", async () => {
    const fetched = fetchAction("v1", {}, { apiUrl: "http://127.0.0.1:1/api/v3" });

    await expect(fetched).rejects.toThrow(
      "Resolving action 'o/r@v1': http://127.0.0.1:1/api/v3/repos/o/r/commits/tags%2Fv1 cannot be reached: nothing listens there.",
    );
    await expect(fetched).rejects.toMatchObject({ remedy: expect.stringContaining("HTTPS_PROXY") });
  });

  it("whose name nobody knows is named", async () => {
    const fetched = fetchAction("v1", {}, { apiUrl: "http://nowhere.invalid" });

    await expect(fetched).rejects.toThrow(
      "cannot be reached: nobody knows the name nowhere.invalid.",
    );
  });

  it("whose certificate nobody vouches for is not trusted", async () => {
    const pem = execFileSync(
      "openssl",
      [
        ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
        ...["-subj", "/CN=localhost", "-days", "2", "-keyout", "-", "-out", "-"],
      ],
      { stdio: ["ignore", "pipe", "ignore"] },
    );
    const server = createTlsServer({ key: pem, cert: pem }, (_request, answer) => answer.end());
    const apiUrl = (await listen(server)).replace("http:", "https:");

    const fetched = fetchAction("v1", {}, { apiUrl });

    await expect(fetched).rejects.toThrow("has a certificate that is not trusted: self-signed");
    await expect(fetched).rejects.toMatchObject({
      remedy: expect.stringContaining("NODE_EXTRA_CA_CERTS"),
    });
    await close(server);
  });

  it("is left alone at once when the job is cancelled", async () => {
    const cancel = new AbortController();
    github.trouble = () => {
      cancel.abort();
      return true;
    };
    await using source = openSource();

    await expect(source.fetch("v1", { signal: cancel.signal })).rejects.toThrow(/abort/i);
    expect(github.asked).toHaveLength(1);
  });
});

describe("proxies", () => {
  it("are used as the environment says", async () => {
    const proxied: string[] = [];
    const proxy = createServer((request, response) => {
      proxied.push(request.url ?? "");
      const onward = httpRequest(request.url ?? "", { headers: request.headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(response);
      });
      request.pipe(onward);
    });
    proxy.on("connect", ({ url = "" }, socket) => {
      proxied.push(url);
      const { hostname, port } = new URL(`http://${url}`);
      const onward = connect(Number(port), hostname, () => {
        socket.write("HTTP/1.1 200 OK\r\n\r\n");
        onward.pipe(socket).pipe(onward);
      });
    });
    const url = await listen(proxy);
    const { host } = new URL(github.url);

    await fetchAction("v1", {}, { env: { http_proxy: url } });

    expect(proxied.length).toBeGreaterThan(0);
    expect(proxied.every((one) => one.includes(host))).toBe(true);
    proxied.length = 0;

    await fetchAction("main", {}, { env: { http_proxy: url, no_proxy: "127.0.0.1" } });

    expect(proxied).toEqual([]);
    await close(proxy);
  });

  it("that want a password say so without telling one", async () => {
    const proxy = createServer((_request, response) => response.writeHead(407).end());
    proxy.on("connect", (_request, socket) => {
      socket.end("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n");
    });
    const url = (await listen(proxy)).replace("//", "//me:wrong-password@");

    const error = await fetchAction("v1", {}, { env: { HTTP_PROXY: url, http_proxy: url } }).catch(
      (caught: unknown) => caught,
    );

    expect(String(error)).toContain("the proxy on the way to http://127.0.0.1");
    expect(String(error)).not.toContain("wrong-password");
    await close(proxy);
  });
});

describe("a folder in place of a repository", () => {
  it("is the same in a later life of the job, even after it has changed", async () => {
    const { folder, localActions } = localAction();
    await using before = openSource({}, localActions);
    const first = await before.fetch("v1");
    writeFileSync(join(folder, "action.yml"), "name: changed");
    await using after = openSource({}, localActions);

    const again = await after.fetch("v1", { commit: first.commit });
    const anew = await after.fetch("v1");

    expect(again).toEqual(first);
    expect(readFileSync(join(first.folder, "action.yml"), "utf8")).toBe("name: local");
    expect(readFileSync(join(anew.folder, "action.yml"), "utf8")).toBe("name: changed");
    expect(anew.commit).toMatch(/^[0-9a-f]{40}$/);
  });

  it("that cannot be the same any more ends the job with words", async () => {
    await using source = openSource({}, localAction().localActions);

    const fetched = source.fetch("v1", { commit: FIRST });

    await expect(fetched).rejects.toThrow("gives for o/r@v1 has changed since this job began.");
  });

  function localAction() {
    const folder = mkdtempSync(join(state, "local-"));
    writeFileSync(join(folder, "action.yml"), "name: local");
    const local = { owner: "O", repo: "R", ref: "v1", path: "", folder };
    return { folder, localActions: [local] };
  }
});

type Response = Parameters<typeof send>[0];

function fail(response: Response, status: number): true {
  send(response, status, { message: "Trouble" });
  return true;
}

function limitRate(response: Response, seconds: number): true {
  send(
    response,
    403,
    { message: "API rate limit exceeded" },
    {
      "x-ratelimit-remaining": "0",
      "x-ratelimit-reset": String(Math.floor(Date.now() / 1000) + seconds),
    },
  );
  return true;
}

function askedFor(path: string): number {
  return github.asked.filter((one) => one.path === path).length;
}

function openSource(
  options: Partial<GitHubClientOptions> = {},
  localActions: readonly LocalAction[] = [],
) {
  const client = createGitHubClient({
    apiUrl: github.url,
    env: {},
    backoffMs: 1,
    silenceMs: 400,
    ...options,
  });
  const cache = openActionCache(state, { owner: "me", isAlive: () => true });
  const source = createActionSource({ client, cache, localActions });
  return {
    fetch: (
      ref: string,
      { owner = "o", repo = "r", ...fetching }: Partial<Fetching & Names> = {},
    ) =>
      source.fetch(
        { owner, repo, ref },
        {
          progress: (line) => lines.push(line),
          signal: new AbortController().signal,
          ...fetching,
        },
      ),
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]();
      await cache[Symbol.asyncDispose]();
    },
  };
}

type Names = { readonly owner: string; readonly repo: string };
type Fetching = { readonly signal: AbortSignal; readonly commit: string };

async function fetchAction(
  ref: string,
  names: Partial<Names> = {},
  options: Partial<GitHubClientOptions> = {},
) {
  await using source = openSource(options);
  return await source.fetch(ref, names);
}
