import { describe, expect, it } from "@jest/globals";
import { BerthError, type ErrorCode } from "../../../runner/errors.ts";
import { DiedOf, deathOf } from "../../../runner/job/job-death.ts";
import { aJob, run } from "./job-fixture.ts";
import { aJournal } from "./two-lives.ts";

const failure = (code: ErrorCode, cause?: unknown) => new BerthError(code, { message: "x", cause });
const full = () => Object.assign(new Error("no space"), { code: "ENOSPC" });

describe("what an error says of the host", () => {
  it.each([
    [failure("ENGINE_LOST"), "engine-lost"],
    [failure("HOST_UNREACHABLE"), "host-lost"],
    [failure("ENGINE_LOST", failure("HOST_UNREACHABLE")), "host-lost"],
    [failure("SHELL_LOST", failure("ENGINE_LOST", failure("HOST_LOGIN_REFUSED"))), "host-lost"],
    [failure("HOST_UNUSABLE", failure("ENGINE_NOT_FOUND")), "engine-lost"],
    [failure("HOST_UNUSABLE", failure("DISK_FULL")), "disk-full"],
    [failure("DISK_FULL"), "disk-full"],
    [failure("SETUP_FAILED", full()), "disk-full"],
    [failure("SHELL_LOST", new DiedOf("out-of-memory")), "out-of-memory"],
    [failure("IMAGE_NOT_FOUND"), undefined],
    [new Error("no space left on device"), undefined],
    ["no error", undefined],
  ])("is %s → %s", (error, death) => {
    expect(deathOf(error)).toBe(death);
  });
});

it("is told of a job that got no place", async () => {
  const { result, events } = await run(aJob([{ run: "true" }]), {
    openPlace: () => Promise.reject(failure("DISK_FULL")),
  });

  expect(result).toMatchObject({ conclusion: "failure", death: "disk-full" });
  expect(events.at(-1)).toMatchObject({ type: "job_finished", death: "disk-full" });
});

it("is told of a job whose journal cannot be written", async () => {
  const journal = { ...aJournal([]), append: () => Promise.reject(full()) };

  const { result } = await run(aJob([{ run: "true" }]), { journal });

  expect(result).toMatchObject({ conclusion: "failure", death: "disk-full" });
});

it("is nothing where a step fails, and the deadline where time is up", async () => {
  const failed = await run(aJob([{ run: "exit 1" }]));
  const late = await run(aJob([{ run: "sleep 60" }], { timeoutMinutes: 0.001 }), {
    graceMs: [50, 50],
  });

  expect(failed.result).toEqual({ conclusion: "failure", outputs: {} });
  expect(late.result).toEqual({ conclusion: "cancelled", outputs: {}, death: "deadline" });
});
