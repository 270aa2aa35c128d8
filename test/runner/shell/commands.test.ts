import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "@jest/globals";
import type { Shell } from "../../../runner/shell/shell.ts";
import { type Job, makeJob, makePlace, run, sh } from "./shells.ts";

const place = makePlace();
afterAll(() => place[Symbol.dispose]());

describe.each([...place.shells, place.withoutSetsid])("$name", (kind) => {
  let job: Job;
  let shell: Shell;
  const open = async () => {
    job ??= makeJob(kind, { GIVEN: "by the container", TWO_LINES: "one\ntwo" });
    shell ??= await job.open();
    return shell;
  };
  const file = (name: string) => join(place.folder, `${kind.name.replaceAll(" ", "-")}-${name}`);
  afterAll(async () => {
    await shell?.[Symbol.asyncDispose]();
    await job?.[Symbol.asyncDispose]();
  });

  it("says where it runs, with the environment as it is", async () => {
    const { facts } = await open();

    expect(facts).toMatchObject({
      uid: process.getuid?.(),
      libc: "glibc",
      env: { GIVEN: "by the container", TWO_LINES: "one\ntwo", PATH: kind.path },
    });
    expect(facts.programs.sh).toMatch(/\/sh$/);
    expect(facts.programs.setsid === undefined).toBe(kind === place.withoutSetsid);
  });

  it("hands back output, stdout and stderr in order, and the exit code", async () => {
    const outcome = await sh(await open(), "echo out; echo err >&2; printf 'no newline'; exit 3");

    expect(outcome).toMatchObject({ started: true, exitCode: 3, text: "out\nerr\nno newline" });
  });

  it.each([
    ["true", 0],
    ["exit 1", 1],
    ["exit 126", 126],
    ["exit 127", 127],
    ["exit 255", 255],
    ["kill -HUP $$", 129],
    ["kill -INT $$", 130],
    ["kill -ABRT $$", 134],
    ["kill -KILL $$", 137],
    ["kill -SEGV $$", 139],
    ["kill -PIPE $$", 141],
    ["kill -TERM $$", 143],
  ])("ends %j with %d and says nothing of its own", async (script, exitCode) => {
    expect(await sh(await open(), script)).toMatchObject({ started: true, exitCode, text: "" });
  });

  it("tells a missing program from a missing directory and from one that may not be run", async () => {
    const shell = await open();
    writeFileSync(file("plain"), "#!/bin/sh\n", { mode: 0o644 });

    const noProgram = await run(shell, { argv: ["no-such-program"] });
    const noDirectory = await run(shell, { argv: ["true"], cwd: "/no/such" });
    const notExecutable = await run(shell, { argv: [file("plain")] });

    expect(noProgram).toMatchObject({ started: false, reason: "no-program", exitCode: 127 });
    expect(noDirectory).toMatchObject({ started: false, reason: "no-directory", exitCode: 127 });
    expect(notExecutable).toMatchObject({ started: false, reason: "no-program", exitCode: 126 });
    expect(noProgram.text + noDirectory.text + notExecutable.text).toBe("");
  });

  it("finds the program on the command's own PATH", async () => {
    const shell = await open();
    const outcome = await run(shell, { argv: ["plain"], env: { PATH: "/no/where" } });

    expect(outcome).toMatchObject({ started: false, reason: "no-program" });
    expect(await sh(shell, "echo back")).toMatchObject({ text: "back\n" });
  });

  it("passes arguments and values with every byte a shell could trip over", async () => {
    const shell = await open();
    const nasty = [
      "",
      " ",
      "'",
      '"$HOME`id`\\',
      "line\nbreak\n",
      "\x1e\x1f\x7f\r\t\b",
      "ünïcödé 🚢",
      "*",
      "~",
      "; exit 1",
      "$(kill $PPID)",
      "-n",
      "unterminated ' quote",
      "${",
      ")",
    ];
    const env = Object.fromEntries(nasty.map((value, index) => [`V${index}`, value]));
    const printed = nasty.map((_, index) => `printf '%s|' "$V${index}"`).join(";");

    const script = `printf '%s|' "$@"; ${printed}`;
    const outcome = await run(shell, { argv: ["sh", "-c", script, "sh", ...nasty], env });

    expect(outcome.text).toBe(`${[...nasty, ...nasty].join("|")}|`);
  });

  it("gives variables whose names a shell cannot hold, or keeps for itself", async () => {
    const shell = await open();
    const env = {
      "INPUT_NODE-VERSION": "20",
      "a.b": "it's\nthis",
      "with space": "x",
      "1st": "y",
      "-u": "z",
      UID: "77",
      PPID: "78",
      BASHOPTS: "79",
      RANDOM: "80",
      OPTIND: "not a number",
      LINENO: "81",
      IFS: "82",
      SHELLOPTS: "83",
      LC_ALL: "no_SUCH.locale",
    };

    const outcome = await run(shell, { argv: ["env", "-0"], env });

    const seen = outcome.text.split("\0");
    for (const [name, value] of Object.entries(env)) expect(seen).toContain(`${name}=${value}`);
    expect(outcome.exitCode).toBe(0);
  });

  it("types only what changed, and forgets what the next command leaves out", async () => {
    const shell = await open();
    const show = { argv: ["sh", "-c", 'echo "${A-none} ${B-none} ${GIVEN-none} ${PWD-none}"'] };

    const all = [
      await run(shell, { ...show, env: { A: "1", B: "2" } }),
      await run(shell, { ...show, env: { A: "1", B: "3" } }),
      await run(shell, { ...show, env: { A: "1", GIVEN: null } }),
      await run(shell, { ...show, env: { GIVEN: "changed" }, cwd: "/" }),
      await run(shell, { ...show, env: { A: "1" }, cwd: "/" }),
    ];

    expect(all.map(({ text }) => text)).toEqual([
      "1 2 by the container /tmp\n",
      "1 3 by the container /tmp\n",
      "1 none none /tmp\n",
      "none none changed /\n",
      "1 none by the container /\n",
    ]);
  });

  it("puts a token into paths and values wherever it stands, a new one each time", async () => {
    const shell = await open();
    const seen: string[] = [];
    for (const token of ["aa11", "bb22", "bb22", "", "cc33"]) {
      const path = file(`with ${token}'s name ${token}`);
      const plain = file("plain");
      const outcome = await run(shell, {
        argv: [
          "sh",
          "-c",
          `cat "$0"; tr '\\0' '\\n' <"/proc/$$/environ" | grep ^T_ | sort; echo "of $1" >"$2"`,
          `${path}.in`,
          token,
          path,
        ],
        token,
        env: { T_1: `${token}-x-${token}`, T_2: token, T_3: "same", "T_ODD-NAME": `odd ${token}` },
        write: [{ path: `${path}.in`, content: `in ${token}\n` }],
        collect: [path, plain].map((path) => ({ path, limitBytes: 99 })),
      });
      seen.push(`${outcome.text}${outcome.files[path]?.content}`);
      expect(outcome.files[plain]).toBeUndefined();
    }

    expect(seen).toEqual(
      ["aa11", "bb22", "bb22", "", "cc33"].map(
        (token) =>
          `in ${token}\nT_1=${token}-x-${token}\nT_2=${token}\nT_3=same\nT_ODD-NAME=odd ${token}\nof ${token}\n`,
      ),
    );
  });

  it("removes a variable with an odd name", async () => {
    const shell = await open();

    await run(shell, { argv: ["true"], env: { "A-B": "1" } });
    const outcome = await run(shell, { argv: ["env"], env: { "A-B": null, UID: null } });

    expect(outcome.text).not.toMatch(/A-B|UID/);
  });

  it("takes a value of 100 kB, and goes on after one that no process can be given", async () => {
    const shell = await open();
    const large = "x'\n".repeat(33_000);

    const fits = await run(shell, { argv: ["sh", "-c", 'echo "${#BIG}"'], env: { BIG: large } });
    const other = await run(shell, {
      argv: ["sh", "-c", 'printf %s "$BIG" | wc -c'],
      env: { BIG: large },
      write: [{ path: file("unused"), content: "x" }],
    });
    const tooLarge = await run(shell, { argv: ["true"], env: { BIG: "y".repeat(200_000) } });
    const after = await sh(shell, "echo ${BIG-gone}");

    expect(fits.text).toBe(`${large.length}\n`);
    expect(other.text.trim()).toBe(String(large.length));
    expect(tooLarge.exitCode).not.toBe(0);
    expect(tooLarge.text).toMatch(/too long|Arg/i);
    expect(after.text).toBe("gone\n");
  });

  it("refuses a NUL, naming the variable, and runs the next command", async () => {
    const shell = await open();

    const refused = run(shell, { argv: ["true"], env: { BAD: "a\0b" } });

    await expect(refused).rejects.toMatchObject({
      code: "INPUT_INVALID",
      message: expect.stringContaining("BAD"),
    });
    expect(await sh(shell, "echo on")).toMatchObject({ text: "on\n" });
  });

  it("reads nothing: its input is empty", async () => {
    expect(await sh(await open(), "cat; echo end")).toMatchObject({ text: "end\n" });
  });

  it("passes binary output byte for byte", async () => {
    const all = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
    writeFileSync(file("binary"), Buffer.concat([all, all.toReversed(), all]));

    const outcome = await run(await open(), { argv: ["cat", file("binary")] });

    expect(outcome.output.equals(readFileSync(file("binary")))).toBe(true);
  });

  it("passes a line of 1 MB and 20 MB of lines", async () => {
    const shell = await open();

    const line = await sh(shell, "head -c 1000000 /dev/zero | tr '\\0' a");
    let bytes = 0;
    await shell.run(
      { argv: ["sh", "-c", "yes 0123456789 | head -c 20000000"], cwd: "/", env: {} },
      {
        onOutput(chunk) {
          bytes += chunk.length;
        },
      },
    );

    expect(line.output.length).toBe(1_000_000);
    expect(bytes).toBe(20_000_000);
  });

  it("writes files before the command, whatever is in them, folders as needed", async () => {
    const shell = await open();
    const binary = Buffer.from(Array.from({ length: 1024 }, (_, index) => index % 256));
    const long = "0123456789abcde'\n".repeat(12_000);
    const write = [
      { path: file("made/deep/short.sh"), content: "#!/bin/sh\necho 'short'\n", mode: 0o755 },
      { path: file("made/binary"), content: binary },
      { path: file("made/no-nul"), content: binary.filter((byte) => byte !== 0) },
      { path: file("made/long"), content: long },
      { path: file("made/empty"), content: "" },
    ];

    const outcome = await run(shell, { argv: [file("made/deep/short.sh")], write });

    expect(outcome).toMatchObject({ exitCode: 0, text: "short\n" });
    expect(readFileSync(file("made/binary")).equals(binary)).toBe(true);
    expect(readFileSync(file("made/no-nul")).equals(binary.filter((b) => b !== 0))).toBe(true);
    expect(readFileSync(file("made/long"), "utf8")).toBe(long);
    expect(statSync(file("made/empty")).size).toBe(0);
  });

  it("says why a file could not be written, and the next command has all its variables", async () => {
    const shell = await open();
    const write = [{ path: "/proc/no/such", content: "x" }];

    const outcome = await run(shell, { argv: ["true"], env: { NEW: "1" }, write });
    const after = await sh(shell, "echo $NEW", { env: { NEW: "1" } });

    expect(outcome).toMatchObject({ started: false, reason: "no-write" });
    expect(outcome.text).not.toBe("");
    expect(after.text).toBe("1\n");
  });

  it("collects files: made empty before, read after, gone later", async () => {
    const shell = await open();
    writeFileSync(file("c1"), "left from before");
    const collect = ["c1", "c2", "c3", "folder/c 'quoted'"].map((name) => ({
      path: file(name),
      limitBytes: 10,
    }));
    const script = `[ ! -s "$1" ] || exit 9; printf a=b >"$1"; printf 12345678901234 >"$2"; rm "$3"; printf '\\0\\n\\036' >"$4"; exit 5`;

    const outcome = await run(shell, {
      argv: ["sh", "-c", script, "sh", ...collect.map(({ path }) => path)],
      collect,
    });
    for (let i = 0; i < 60; i++) {
      await run(shell, { argv: ["true"], collect: [{ path: file(`late${i}`), limitBytes: 1 }] });
    }

    expect(outcome.exitCode).toBe(5);
    expect(outcome.files).toEqual({
      [file("c1")]: { content: Buffer.from("a=b"), truncated: false, sizeBytes: 3 },
      [file("c2")]: { content: Buffer.from("1234567890"), truncated: true, sizeBytes: 14 },
      [file("folder/c 'quoted'")]: {
        content: Buffer.from("\0\n\x1e"),
        truncated: false,
        sizeBytes: 3,
      },
    });
    expect(collect.filter(({ path }) => existsSync(path))).toEqual([]);
  });

  it("keeps what is written to a path that was collected before", async () => {
    const shell = await open();
    const path = file("reused");

    await run(shell, { argv: ["true"], collect: [{ path, limitBytes: 9 }] });
    await run(shell, { argv: ["true"], write: [{ path, content: "kept" }] });
    for (let i = 0; i < 60; i++) {
      await run(shell, { argv: ["true"], collect: [{ path: file(`other${i}`), limitBytes: 1 }] });
    }

    expect(readFileSync(path, "utf8")).toBe("kept");
  });

  it("collects a hundred files, and one of 1 MB", async () => {
    const shell = await open();
    const collect = Array.from({ length: 100 }, (_, index) => ({
      path: file(`many${index}`),
      limitBytes: 2_000_000,
    }));
    const script = `for f; do echo "$f" >"$f"; done; head -c 1000000 /dev/zero >"$1"`;

    const outcome = await run(shell, {
      argv: ["sh", "-c", script, "sh", ...collect.map(({ path }) => path)],
      collect,
    });

    expect(Object.keys(outcome.files)).toHaveLength(100);
    expect(outcome.files[file("many0")]?.content.length).toBe(1_000_000);
    expect(outcome.files[file("many99")]?.content.toString()).toBe(`${file("many99")}\n`);
  });

  it("does not wait for what a command leaves running, and still hears it", async () => {
    const shell = await open();
    const seen: string[] = [];

    const first = await sh(shell, "(sleep 0.2; echo late) & echo early");
    await sh(shell, "sleep 0.5", {}, { onOutput: (chunk) => void seen.push(chunk.toString()) });

    expect(first.text).toBe("early\n");
    expect(seen.join("")).toBe("late\n");
  });

  it("lets a command close its own output", async () => {
    const shell = await open();

    expect(await sh(shell, "exec >&- 2>&-; exit 4")).toMatchObject({ exitCode: 4 });
    expect(await sh(shell, "echo on")).toMatchObject({ text: "on\n" });
  });

  it("keeps /dev/stdout and /dev/stderr usable", async () => {
    const outcome = await sh(await open(), "echo a >/dev/stdout; echo b >/dev/stderr; echo c");

    expect(outcome.text).toBe("a\nb\nc\n");
  });

  it("runs 40 variables of a whole job, changing a few, without mixing them up", async () => {
    const shell = await open();
    const base = Object.fromEntries(
      Array.from({ length: 40 }, (_, index) => [`GITHUB_${index}`, `/some/path/number/${index}`]),
    );

    for (let step = 0; step < 5; step++) {
      const env = { ...base, GITHUB_3: `/changed/${step}`, [`NEW_${step}`]: base.GITHUB_7 ?? "" };
      const outcome = await run(shell, { argv: ["env"], env });
      const seen = outcome.text.split("\n");
      for (const [name, value] of Object.entries(env)) expect(seen).toContain(`${name}=${value}`);
      expect(seen.filter((line) => line.startsWith("NEW_"))).toHaveLength(1);
    }
  });
});
