import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { BerthError, textOf } from "../runner/errors.ts";
import { openHost } from "../src/hosts/open-host.ts";
import type { SshTarget } from "../src/hosts/ssh/ssh-connection.ts";
import { type HostMachine, startHostMachine } from "./host-machines.ts";
import { isAbout, troubleshootingRows } from "./troubleshooting-rows.ts";

const { signal } = new AbortController();
let machine: HostMachine;
let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "berth-trouble-"));
  machine = await startHostMachine({ name: "trouble" });
  const { stdout } = await machine.exec(
    "ssh-keygen -q -t ed25519 -N secret -f /locked; cat /locked",
  );
  await writeFile(join(home, "locked"), stdout, { mode: 0o600 });
});
afterAll(async () => {
  await machine[Symbol.asyncDispose]();
  await rm(home, { recursive: true, force: true });
});

/** The machine as somebody has it in `berth.yml`. */
async function look(ssh: Partial<SshTarget> & { readonly user?: string } = {}) {
  const { user = "root", ...rest } = ssh;
  const { identityFile, hostKey } = machine;
  const destination = `${user}@${machine.address}`;
  const target = { name: "gpu-1", ssh: { destination, identityFile, hostKey, ...rest } };
  const connect = { env: { PATH: process.env.PATH }, home, uid: 0, stateDir: home };
  await using access = await openHost(target, { connect });
  return await access.probe(signal);
}

async function failure(ssh: Parameters<typeof look>[0]): Promise<BerthError> {
  try {
    await look(ssh);
  } catch (error) {
    if (error instanceof BerthError) return error;
    throw new Error(`no error of ours: ${textOf(error)}`);
  }
  throw new Error("it works");
}

function rowsAbout(section: string, said: string): string[] {
  return troubleshootingRows(section).filter((row) => isAbout(row, said));
}

describe("a machine that cannot be reached", () => {
  it.each<[string, () => Parameters<typeof look>[0]]>([
    ["HOST_KEY_UNKNOWN", () => ({ hostKey: undefined })],
    ["HOST_KEY_CHANGED", () => ({ hostKey: `SHA256:${"A".repeat(43)}` })],
    ["HOST_LOGIN_REFUSED", () => ({ user: "stranger" })],
    ["HOST_LOGIN_REFUSED", () => ({ identityFile: join(home, "no-key") })],
    ["HOST_LOGIN_REFUSED", () => ({ identityFile: join(home, "locked") })],
  ])("says so in the words of docs/troubleshooting.md: %s", async (code, ssh) => {
    const error = await failure(ssh());

    expect(error).toMatchObject({ code, remedy: expect.any(String) });
    expect([error.message, rowsAbout("Reaching a machine", error.message)]).toEqual([
      error.message,
      [expect.any(String)],
    ]);
  });
});

describe("an engine that cannot be used", () => {
  it("says that the login may not open it", async () => {
    const { engines } = await look({ user: "ubuntu", sudo: false });

    const [engine] = engines;
    expect(engine).toMatchObject({ usable: false, remedy: expect.any(String) });
    expect(rowsAbout("Engines", engine?.reason ?? "")).toHaveLength(1);
  });

  it("says that none answers, and that the machine has none", async () => {
    await machine.exec("kill -9 $(pidof dockerd)");
    const left = await look();
    await machine.exec("rm -f /var/run/docker.sock");
    const gone = await look();

    const [engine] = left.engines;
    expect(engine).toMatchObject({ usable: false, remedy: expect.any(String) });
    expect(rowsAbout("Engines", engine?.reason ?? "")).toHaveLength(1);
    expect(gone.engines).toEqual([]);
    expect(gone.warnings.map(({ message }) => message)).toContainEqual(
      expect.stringContaining("no daemon listens"),
    );
  });
});
