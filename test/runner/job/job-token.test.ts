import { describe, expect, it } from "@jest/globals";
import type { ExecuteJobDeps } from "../../../runner/job/execute-job.ts";
import { aJob, ex, mapping, run } from "./job-fixture.ts";
import { runInTwoLives } from "./two-lives.ts";

/** Gives `token-1`, `token-2` and so on, and counts. */
function tokens(name = "token-"): { token: NonNullable<ExecuteJobDeps["token"]>; count: number } {
  const given = {
    count: 0,
    token: async () => `${name}${++given.count}`,
  };
  return given;
}

/** Prints it in a way that no masker knows. */
const SPELL = 'echo "$T" | sed "s/./&./g"';
const spelled = (text: string) => text.replaceAll(/./g, "$&.");

describe("the token of a job", () => {
  it("is a fresh one at each step, in all its expressions, and masked", async () => {
    const { log } = await run(
      aJob([
        { run: `${SPELL}; echo "$T"`, env: mapping({ T: ex("github.token") }) },
        { run: SPELL, env: mapping({ T: ex("secrets.GITHUB_TOKEN") }) },
        { run: ex("format('T={0}; {1}', github.token, 'echo $T | sed s/-/+/')") },
      ]),
      { token: tokens().token },
    );

    // The first one is for the set-up.
    expect(log).toEqual([spelled("token-2"), "***", spelled("token-3"), "token+4"]);
  });

  it("takes the place of older ones in the job's own variables", async () => {
    const { log } = await run(
      aJob(
        [
          { run: `${SPELL}; echo "ALSO=<$T>" >> "$GITHUB_ENV"` },
          { run: `${SPELL}; T=$ALSO; ${SPELL}` },
        ],
        { env: [mapping({ T: ex("github.token") })] },
      ),
      { token: tokens().token },
    );

    expect(log).toEqual([spelled("token-2"), spelled("token-3"), spelled("<token-3>")]);
  });

  it("stays when there is no fresh one, and the step says so", async () => {
    let asked = 0;
    const { log, result } = await run(
      aJob([{ run: SPELL, env: mapping({ T: ex("github.token") }) }]),
      {
        async token() {
          if (++asked > 1) throw new Error("GitHub is away.");
          return "token-1";
        },
      },
    );

    expect(result.conclusion).toBe("success");
    expect(log).toEqual([
      "##[warning]No fresh github.token was to be had, so the one before is used: GitHub is away.",
      spelled("token-1"),
    ]);
  });

  it("fails the job in words when there never was one", async () => {
    const { result } = await run(aJob([{ run: "true" }]), {
      token: () => Promise.reject(new Error("GitHub is away.")),
    });

    expect(result).toMatchObject({ conclusion: "failure", reason: "GitHub is away." });
  });
});

describe("a job that comes back with another token", () => {
  const job = aJob([
    {
      id: "one",
      run: `echo "now one"; echo x >> ../ran; ${SPELL}; echo "KEPT=$T" >> "$GITHUB_ENV"; echo "json=$J" >> "$GITHUB_OUTPUT"`,
      env: mapping({ T: ex("github.token"), J: ex("toJSON(secrets.GITHUB_TOKEN)") }),
    },
    {
      run: ex(
        `format('T={0}; echo "now two"; sleep 0.4; ${SPELL}; echo "$T"; echo {1}', github.token, steps.one.outputs.json)`,
      ),
      env: mapping({ T: ex("github.token") }),
    },
    {
      run: `${SPELL}; echo "$T"; T=$KEPT; ${SPELL}; cat ../ran`,
      env: mapping({ T: ex("github.token"), OTHER: ex("steps.one.outputs.json") }),
    },
  ]);
  const lines = (events: Awaited<ReturnType<typeof runInTwoLives>>["events"]) =>
    events.flatMap((event) => (event.type === "log" && event.step > 1 ? [event.line] : []));

  it("goes on, with the new one where it had not begun, and masks both", async () => {
    const first = "first-token";
    const { events, result } = await runInTwoLives(
      job,
      "now two",
      { token: async () => first },
      undefined,
      { token: tokens("later-").token, earlierTokens: [first] },
    );

    expect(result).toEqual({ conclusion: "success", outputs: {} });
    const told = lines(events);
    expect(told).toContain(spelled(first));
    expect(told.filter((line) => line.includes(first))).toEqual([]);
    // Asked for as the life began, for the second step, which had begun with the old one, and for the third.
    const renewed = spelled("later-3");
    expect(told.filter((line) => line === renewed)).toEqual([renewed, renewed]);
    expect(told.filter((line) => line === "x")).toEqual(["x"]);
  });
});
