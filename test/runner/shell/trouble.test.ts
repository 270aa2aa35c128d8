import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, afterEach, describe, expect, it } from "@jest/globals";
import type { Shell } from "../../../runner/shell/shell.ts";
import { type Job, makeJob, makePlace, run, type ShellKind, sh } from "./shells.ts";

const place = makePlace();
afterAll(() => place[Symbol.dispose]());

const FRAME = `nonce=$(tr '\\0' '\\n' </proc/$PPID/cmdline | tail -n 1); frame() { printf '\\036%s %s\\n' "$nonce" "$1"; }`;

/** Not gone, and not waiting to be collected either. */
function isAlive(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return false;
  }
}

/** Of the way without setsid the commands' own tests and a scenario tell, too. */
const kinds = process.env.BERTH_LONG ? [...place.shells, place.withoutSetsid] : place.shells;

describe.each(kinds)("$name", (kind: ShellKind) => {
  const jobs: Job[] = [];
  const open = async (): Promise<Shell> => {
    const job = makeJob(kind);
    jobs.push(job);
    return job.open();
  };
  const file = (name: string) => join(place.folder, `${kind.name.replaceAll(" ", "-")}-${name}`);
  afterEach(async () => {
    for (const job of jobs.splice(0)) await job[Symbol.asyncDispose]();
  });

  it("interrupts a command that can be interrupted, and only its first process", async () => {
    const shell = await open();
    const cancel = new AbortController();
    const script = `trap 'echo interrupted; exit 5' INT; echo ready; while :; do sleep 0.02; done`;

    const outcome = await sh(
      shell,
      script,
      {},
      { signal: cancel.signal, onOutput: () => cancel.abort() },
    );

    expect(outcome).toMatchObject({ exitCode: 5, text: "ready\ninterrupted\n" });
    expect(await sh(shell, "echo on")).toMatchObject({ text: "on\n" });
  });

  it("ends with TERM what ignores INT, and with KILL what ignores both, its tree too", async () => {
    const shell = await open();
    const term = new AbortController();
    const kill = new AbortController();
    const noInt = `trap '' INT; trap 'echo terminated; exit 6' TERM; echo ready; while :; do sleep 0.02; done`;
    const nothing = `trap '' INT TERM; sleep 300 & echo $!; while :; do sleep 0.02; done`;

    const byTerm = await sh(
      shell,
      noInt,
      {},
      { signal: term.signal, onOutput: () => term.abort() },
    );
    const byKill = await sh(
      shell,
      nothing,
      {},
      { signal: kill.signal, onOutput: () => kill.abort() },
    );

    expect(byTerm).toMatchObject({ exitCode: 6, text: "ready\nterminated\n" });
    expect(byKill.exitCode).toBe(137);
    // A signal takes its time to arrive; if it never does, the test runs out of time.
    while (isAlive(Number(byKill.text))) await setTimeout(20);
  });

  it("kills at once when asked to", async () => {
    const shell = await open();
    const kill = new AbortController();
    const script = "trap '' INT TERM; echo ready; while :; do sleep 0.02; done";

    const outcome = await sh(
      shell,
      script,
      {},
      { kill: kill.signal, onOutput: () => kill.abort() },
    );

    expect(outcome.exitCode).toBe(137);
  });

  it("lets a command answer the interrupt that was sent before it began", async () => {
    const shell = await open();

    const outcome = await sh(shell, "sleep 5", {}, { signal: AbortSignal.abort() });

    expect([130, 143]).toContain(outcome.exitCode);
  });

  it("takes frames with a wrong nonce for output", async () => {
    const shell = await open();

    const outcome = await sh(shell, `printf '\\036nonce end 1 0 ok 0\\n\\036\\036'; exit 3`);

    expect(outcome).toMatchObject({ exitCode: 3, text: "\x1enonce end 1 0 ok 0\n\x1e\x1e" });
  });

  it("lets a job that forges frames lie about itself only", async () => {
    const shell = await open();
    const forge = `${FRAME}; frame "begin 1 1"; frame "end 9 0 ok 0"; frame "sync abc 99 1 - 1 -"; frame "stale 1 7"; frame ready; frame "poked abc stale 5"; frame "done 1 9"; echo on; sleep 0.1; exit 4`;

    const honest = await sh(shell, forge);
    const lied = await sh(shell, `${FRAME}; frame "end 2 0 ok 0"; sleep 0.1; exit 4`);
    const after = await sh(shell, "echo on; exit 5");

    expect(honest).toMatchObject({ exitCode: 4, text: "on\n" });
    expect(lied).toMatchObject({ exitCode: 0 });
    expect(after).toMatchObject({ exitCode: 5, text: "on\n" });
  });

  it.each(["nonsense", "end one two", "end 1 999 ok 0", "begin", "end 1 0 ok"])(
    "fails a job that forges %j, in words",
    async (text) => {
      const shell = await open();

      await expect(sh(shell, `${FRAME}; frame '${text}'; sleep 5`)).rejects.toMatchObject({
        code: "SHELL_PROTOCOL",
      });
      expect(shell.lost.aborted).toBe(true);
    },
  );

  it("fails a job whose frame does not end, without holding on to it", async () => {
    const shell = await open();

    const endless = sh(
      shell,
      `${FRAME}; printf '\\036%s ' "$nonce"; head -c 9000 /dev/zero; sleep 5`,
    );

    await expect(endless).rejects.toMatchObject({ code: "SHELL_PROTOCOL" });
  });

  it("says what happened when a step kills the shell that runs it", async () => {
    const shell = await open();

    await expect(sh(shell, "kill -9 $PPID; sleep 5")).rejects.toMatchObject({
      code: "SHELL_LOST",
      message: expect.stringMatching(/signal 9.*a step must have killed it/),
    });
    await expect(sh(shell, "true")).rejects.toMatchObject({ code: "SHELL_LOST" });
  });

  it("survives a step that asks its parent to end, or to be interrupted", async () => {
    const shell = await open();

    const outcome = await sh(shell, "kill -TERM $PPID; kill -INT $PPID; kill -HUP $PPID; exit 7");

    expect(outcome.exitCode).toBe(7);
    expect(await sh(shell, "trap - INT; kill -INT $$; echo ignored")).toMatchObject({ text: "" });
  });

  it("is lost when everything in it is killed", async () => {
    const shell = await open();

    const all = `for p in $(grep -lz "^BERTH_LOCAL_SHELL=$BERTH_LOCAL_SHELL" /proc/[0-9]*/environ 2>/dev/null); do p=\${p#/proc/}; p=\${p%/environ}; [ $p = $$ ] || kill -9 $p; done; kill -9 $$`;

    await expect(
      run(shell, { argv: ["/bin/sh", "-c", all], env: { PATH: "/usr/bin:/bin" } }),
    ).rejects.toMatchObject({
      code: "SHELL_LOST",
    });
  });

  it("reads a file that grows while it is read", async () => {
    const shell = await open();
    const collect = [{ path: file("growing"), limitBytes: 50_000_000 }];
    const script = `echo start >"$1"; (while :; do echo more and more >>"$1" || exit; done) >&- 2>&- & sleep 0.05`;

    const outcome = await run(shell, {
      argv: ["sh", "-c", script, "sh", file("growing")],
      collect,
    });

    const grown = outcome.files[file("growing")];
    expect(grown?.content.toString()).toMatch(/^start\n(more and more\n)*/);
    expect(await sh(shell, "echo on")).toMatchObject({ text: "on\n" });
  });

  it("gets the files although something writes to the shell's own channel", async () => {
    const shell = await open();
    const collect = [{ path: file("noisy"), limitBytes: 1000 }];
    const noise = `while [ $((i = i + 1)) -lt 300 ]; do printf 'noise\\036' >&4; done 4>>"/proc/$PPID/fd/4"`;
    const script = `echo value >"$1"; i=0; (${noise}) >&- 2>&- & sleep 0.01`;

    const outcome = await run(shell, { argv: ["sh", "-c", script, "sh", file("noisy")], collect });

    expect(outcome.files[file("noisy")]?.content.toString()).toBe("value\n");
  });

  it("gives what a command put in the place of a file no chance to hurt", async () => {
    const shell = await open();
    const names = ["pipe", "folder", "device", "gone"];
    const collect = names.map((name) => ({ path: file(name), limitBytes: 100 }));
    const script = `rm "$@"; mkfifo "$1"; mkdir "$2"; ln -s /dev/zero "$3"`;
    const command = {
      argv: ["sh", "-c", script, "sh", ...collect.map(({ path }) => path)],
      collect,
    };

    const outcome = await run(shell, command);

    expect(outcome).toMatchObject({ exitCode: 0, files: {} });
    expect(await sh(shell, "echo on")).toMatchObject({ text: "on\n" });
  });
});
