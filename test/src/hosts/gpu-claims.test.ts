import { mkdir, mkdtemp, readdir, rm, stat, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import {
  type ClaimAnswer,
  type ClaimUnit,
  claimGpus,
  listClaims,
  lookAtGpus,
  readComputeApps,
  releaseUnits,
} from "../../../src/hosts/gpu-claims.ts";
import { localShell } from "../../../src/hosts/machine-shell.ts";

const signal = new AbortController().signal;
const shell = localShell(process.env);
let parent: string;
let folder: string;

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), "berth-claims-"));
  folder = join(parent, "claims");
});
afterEach(() => rm(parent, { recursive: true, force: true }));

describe("claims of GPUs on a machine", () => {
  it("give each GPU to exactly one of many that want it at once", async () => {
    const answers = await Promise.all(
      Array.from({ length: 24 }, (_, n) => claim(`job-${n}`, ["GPU-1"])),
    );

    expect(answers.filter(({ kind }) => kind === "claimed")).toHaveLength(1);
    expect(await listClaims(shell, { folder, signal })).toHaveLength(1);
  });

  it.each(["with a lock", "without flock"])(
    "give all GPUs or none, and never one to two, %s",
    async (lock) => {
      const PATH = lock === "with a lock" ? process.env.PATH : await pathWithoutFlock();
      const withPath = localShell({ ...process.env, PATH });
      const wishes = [
        ["GPU-1", "GPU-2"],
        ["GPU-2", "GPU-3"],
        ["GPU-3", "GPU-1"],
      ];
      for (let round = 0; round < 4; round++) {
        const answers = await Promise.all(
          wishes.concat(wishes).map((uuids, n) => claim(`${round}-${n}`, uuids, withPath)),
        );
        const won = answers.flatMap(({ kind }, n) =>
          kind === "claimed" ? (wishes.concat(wishes)[n] ?? []) : [],
        );
        const held = (await listClaims(shell, { folder, signal })).map(({ uuid }) => uuid);

        expect(new Set(won).size).toBe(won.length);
        expect(held.toSorted()).toEqual(won.toSorted());
        await Promise.all(answers.map(release));
      }
    },
  );

  it("tell who has what is in the way, and leave nothing of one that failed", async () => {
    await claim("first", ["GPU-2"]);

    const answer = await claim("second", ["GPU-1", "GPU-2"]);

    expect(answer).toMatchObject({
      kind: "taken",
      by: [{ uuid: "GPU-2", claim: { id: "here/first", job: "first", engine: "engine" } }],
    });
    expect((await listClaims(shell, { folder, signal })).map(({ uuid }) => uuid)).toEqual([
      "GPU-2",
    ]);
  });

  it("let slices of one GPU go to different jobs, and never beside the whole GPU", async () => {
    const [one, two] = ["MIG-1", "MIG-2"].map((uuid) => ({ uuid, gpu: "GPU-1" }));

    const first = await claim("first", [one ?? ""]);
    const second = await claim("second", [two ?? ""]);
    const whole = await claim("whole", ["GPU-1"]);
    await Promise.all([first, second].map(release));
    const wholeLater = await claim("whole", ["GPU-1"]);
    const third = await claim("third", [two ?? ""]);

    expect([first, second, whole, wholeLater, third].map(({ kind }) => kind)).toEqual([
      ...["claimed", "claimed", "taken", "claimed", "taken"],
    ]);
  });

  it("are found again by the next life of who has them, and by nobody whose name only begins alike", async () => {
    await claim("job", ["GPU-1", "GPU-2"]);

    const again = await claim("job", ["GPU-2", "GPU-1"]);
    const other = await claim("job-2", ["GPU-1"]);
    await release(again);

    expect([again.kind, other.kind]).toEqual(["claimed", "taken"]);
    expect(await listClaims(shell, { folder, signal })).toEqual([]);
  });

  it("are not removed by who has read an older one", async () => {
    const first = await claim("first", ["GPU-1"]);
    const read = await listClaims(shell, { folder, signal });
    await release(first);
    await claim("second", ["GPU-1"]);

    const gone = await releaseUnits(shell, read, { folder });

    expect(gone).toEqual([]);
    expect(await listClaims(shell, { folder, signal })).toMatchObject([
      { claim: { job: "second" } },
    ]);
  });

  it("may be made and removed by every user, whatever umask the first has", async () => {
    const careful = localShell(process.env);

    await claim("job", ["GPU-1"], { run: (script, o) => careful.run(`umask 077; ${script}`, o) });

    expect((await stat(folder)).mode & 0o7777).toBe(0o777);
  });

  it("refuse a folder that leads elsewhere, and respect what another program has written there", async () => {
    await symlink(parent, folder);
    await expect(claim("job", ["GPU-1"])).rejects.toMatchObject({
      code: "HOST_UNUSABLE",
      message: expect.stringContaining("no folder"),
    });
    await rm(folder);
    await mkdir(folder);
    await symlink("reserved by hand", join(folder, "GPU-1"));

    expect(await claim("job", ["GPU-1"])).toMatchObject({
      kind: "taken",
      by: [{ uuid: "GPU-1", claim: undefined, text: "reserved by hand" }],
    });
  });

  it("are not disturbed by what is no GPU's name", async () => {
    await claim("job", ["GPU-1"]);
    for (const name of ["two words", "-f", "GPU-2\nGPU-3", "..evil"]) {
      await symlink("anything", join(folder, name));
    }

    expect(await listClaims(shell, { folder, signal })).toMatchObject([{ uuid: "GPU-1" }]);
    expect((await claim("other", ["GPU-4"])).kind).toBe("claimed");
  });

  it("fail where a folder has a GPU's name, which would hold claims of everybody", async () => {
    await mkdir(join(folder, "GPU-1"), { recursive: true });

    await expect(claim("job", ["GPU-1"])).rejects.toMatchObject({
      code: "HOST_UNUSABLE",
      message: expect.stringContaining("GPU-1 is a folder"),
    });
    expect(await readdir(join(folder, "GPU-1"))).toEqual([]);
  });

  it("fail where the shell does not hand on what it is given", async () => {
    const deaf = {
      run: (script: string, o: object) => shell.run(script, { signal, ...o, stdin: "" }),
    };

    await expect(claim("job", ["GPU-1"], deaf)).rejects.toMatchObject({ code: "HOST_UNUSABLE" });
  });

  it("leave nothing when they are given up half-way", async () => {
    const claiming = claimAndGiveUp("job", ["GPU-1"]);

    await expect(claiming).rejects.toMatchObject({ name: "AbortError" });
    expect(await readdir(folder)).toEqual([]);
  });

  it("stay with a job whose next life gives up claiming them again", async () => {
    await claim("job", ["GPU-1"]);

    await expect(claimAndGiveUp("job", ["GPU-1", "GPU-2"])).rejects.toMatchObject({
      name: "AbortError",
    });

    expect(await readdir(folder)).toEqual(["GPU-1"]);
  });
});

describe("a look at a machine's GPUs", () => {
  it("tells what is claimed, and what computes", async () => {
    const rows = "GPU-1, 4711, /usr/bin/python3\\nGPU-2, 12, [N/A]\\nNo devices were found\\n";
    const programs = join(parent, "bin");
    await mkdir(programs);
    await shell.run(
      `printf '#!/bin/sh\\nprintf "%s"\\n' '${rows}' > ${programs}/nvidia-smi; chmod +x ${programs}/nvidia-smi`,
      { signal },
    );
    await claim("job", ["GPU-1"]);

    const look = await lookAtGpus(
      localShell({ ...process.env, PATH: `${programs}:${process.env.PATH}` }),
      { folder, signal },
    );

    expect(look.users).toEqual([
      { uuid: "GPU-1", pid: 4711, program: "/usr/bin/python3" },
      { uuid: "GPU-2", pid: 12, program: "[N/A]" },
    ]);
    expect(look.held).toMatchObject([{ uuid: "GPU-1", claim: { job: "job" } }]);
    expect(look.wereHeld).toEqual(look.held);
  });

  it("knows nothing of what computes when the driver does not answer", async () => {
    const failing = "timeout() { return 9; }; nvidia-smi() { return 9; }";

    const look = await lookAtGpus(
      { run: (script, o) => shell.run(`${failing}\n${script}`, o) },
      { folder, signal },
    );

    expect(look).toEqual({ held: [], wereHeld: [], users: undefined });
  });

  it("passes over rows that are none", () => {
    expect(readComputeApps("gpu_uuid, pid\nGPU-1, abc, x\n\nNVIDIA-SMI has failed")).toEqual([]);
  });
});

function identity(job: string) {
  return { id: `here/${job}`, owner: "here", engine: "engine", job };
}

function claim(job: string, units: readonly (string | ClaimUnit)[], on = shell) {
  return claimGpus(on, {
    claim: identity(job),
    units: units.map((unit) => (typeof unit === "string" ? { uuid: unit } : unit)),
    folder,
    signal,
  });
}

/** Takes them, and is aborted before it can say so. */
async function claimAndGiveUp(job: string, uuids: readonly string[]) {
  const cancel = new AbortController();
  return await claimGpus(
    {
      run: (script, o) =>
        shell.run(script.replace("exit $code", "echo made; sleep 60"), {
          ...o,
          onLine: () => cancel.abort(),
        }),
    },
    {
      claim: identity(job),
      units: uuids.map((uuid) => ({ uuid })),
      folder,
      signal: cancel.signal,
    },
  );
}

async function release(answer: ClaimAnswer | undefined): Promise<void> {
  if (answer?.kind === "claimed") await answer[Symbol.asyncDispose]();
}

/** A PATH with the programs that the scripts use, and no lock. */
async function pathWithoutFlock(): Promise<string> {
  const programs = join(parent, "few");
  await mkdir(programs, { recursive: true });
  const links = "ln readlink rm mkdir"
    .split(" ")
    .map((name) => `ln -sf "$(command -v ${name})" ${programs}/${name}`);
  await shell.run(links.join("; "), { signal });
  return programs;
}
