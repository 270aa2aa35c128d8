import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, expect, it } from "@jest/globals";
import { jobImage } from "../engine.ts";
import { startBerth } from "../src/cli/run-berth.ts";
import { repositoryOf, sharedState } from "./run-jobs.ts";

const MEGABYTE = 1 << 20;
const LINES = 1_000_000;

beforeAll(() => jobImage(), 120_000);

it.each([
  ["read at once", 0],
  ["not read for a while", 4000],
])(
  "prints 100 MB of log in bounded memory, %s",
  async (_, unreadMs) => {
    const line = "x".repeat(99);
    using repository = repositoryOf({
      a: { steps: [`yes ${line} | head -n ${LINES}`, "echo on"] },
    });
    const child = startBerth(["run", "--json"], { cwd: repository.root, env: sharedState() });
    const closed = once(child, "close");
    const watch = watchMemory(child.pid ?? 0);
    await sleep(unreadMs);

    let lines = 0;
    let tail = "";
    child.stderr?.resume();
    child.stdout?.on("data", (chunk: Buffer) => {
      const text = tail + chunk.toString("latin1");
      const whole = text.lastIndexOf("\n") + 1;
      lines += text.slice(0, whole).split(`"line":"${line}"`).length - 1;
      tail = text.slice(whole);
    });
    await closed;

    expect(child.exitCode).toBe(0);
    expect(lines).toBe(LINES);
    expect(watch.stop()).toBeLessThan(300 * MEGABYTE);
  },
  120_000,
);

/** The most memory a process has had, in bytes, while it could be asked. */
function watchMemory(pid: number): { stop(): number } {
  let mostBytes = 0;
  const look = () => {
    try {
      const status = readFileSync(`/proc/${pid}/status`, "utf8");
      mostBytes = Number(/VmHWM:\s*(\d+)/.exec(status)?.[1] ?? 0) * 1024 || mostBytes;
    } catch {
      clearInterval(timer); // it has ended
    }
  };
  const timer = setInterval(look, 50);
  return {
    stop() {
      clearInterval(timer);
      return mostBytes;
    },
  };
}
