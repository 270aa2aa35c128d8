import { EventEmitter, on, once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import ssh2 from "ssh2";
import { openSshConnection } from "../../../../src/hosts/ssh/open-ssh-connection.ts";
import { readHostKey } from "../../../../src/hosts/ssh/read-host-key.ts";
import type { SshConnection, SshTarget } from "../../../../src/hosts/ssh/ssh-connection.ts";
import { type HostMachine, startHostMachine } from "../../../host-machines.ts";

const signal = new AbortController().signal;
const home = mkdtempSync(join(tmpdir(), "berth-ssh-"));
const keys = join(home, "keys");
mkdirSync(join(home, ".ssh"));
mkdirSync(keys);

/** Each has settings of its own; all are on the one machine. */
const PORT = { usual: 22, questions: 2201 } as const;
let machine: HostMachine;

beforeAll(async () => {
  machine = await startHostMachine({
    name: "ssh",
    sshdConfig: ["TrustedUserCAKeys /etc/ssh/authority.pub"],
    passwords: { ubuntu: "sesame" },
  });
  const { stdout } = await machine.exec(`set -e
mkdir /keys && cd /keys
ssh-keygen -q -t ed25519 -N '' -f authority
for type in ed25519 ecdsa rsa; do
  ssh-keygen -q -t $type -N '' -f $type
  ssh-keygen -q -s authority -I test -n ubuntu $type.pub
done
ssh-keygen -q -t ed25519 -N 'open up' -f locked
cat locked.pub >> /home/ubuntu/.ssh/authorized_keys
ssh-keygen -q -t ed25519 -N '' -f agent
cat agent.pub >> /home/ubuntu/.ssh/authorized_keys
cp authority.pub /etc/ssh/
/usr/sbin/sshd -p ${PORT.questions} -o PidFile=none -o PasswordAuthentication=no -o KbdInteractiveAuthentication=yes -o UsePAM=yes
for key in *; do echo "file $key"; cat $key; done`);
  for (const part of stdout.split(/^file /m).slice(1)) {
    const [name = "", ...lines] = part.split("\n");
    writeFileSync(join(keys, name), lines.join("\n"), { mode: 0o600 });
  }
}, 120_000);
afterAll(async () => {
  await machine?.[Symbol.asyncDispose]();
  rmSync(home, { recursive: true });
});

describe("a login", () => {
  it.each<[string, () => Partial<SshTarget>]>([
    ["a key", () => ({})],
    [
      "a key with a passphrase",
      () => ({ identityFile: join(keys, "locked"), passphrase: "open up" }),
    ],
    ["an ed25519 certificate", () => ({ identityFile: join(keys, "ed25519") })],
    ["an ecdsa certificate", () => ({ identityFile: join(keys, "ecdsa") })],
    [
      "an RSA certificate that is named",
      () => ({ identityFile: join(keys, "rsa"), certificateFile: join(keys, "rsa-cert.pub") }),
    ],
    ["a password", () => ({ identityFile: undefined, password: "sesame" })],
    [
      "a password that is asked for",
      () => ({
        identityFile: undefined,
        password: "sesame",
        destination: `ubuntu@${machine.address}:${PORT.questions}`,
      }),
    ],
  ])("works with %s", async (_, how) => {
    await using connection = connect(how());

    expect(await whoami(connection)).toBe("ubuntu\n");
  });

  it("works with a key of the agent", async () => {
    await using agent = await startAgent(join(home, "agent.sock"), join(keys, "agent"));
    await using connection = connect(
      { identityFile: undefined },
      { SSH_AUTH_SOCK: agent.socketPath },
    );

    expect(await whoami(connection)).toBe("ubuntu\n");
  });

  it("is refused with what was tried, what could not be tried, and what the machine takes", async () => {
    await using connection = connect({ identityFile: join(keys, "locked"), password: "wrong" });

    await expect(whoami(connection)).rejects.toMatchObject({
      code: "HOST_LOGIN_REFUSED",
      message: expect.stringMatching(
        /refuses the login of ubuntu.*Tried: the password.*locked is encrypted, and no passphrase.*accepts: publickey,/,
      ),
    });
  });
});

describe("the machine's key", () => {
  it("can be asked for without a login", async () => {
    const target = targetOf({ hostKey: undefined, identityFile: undefined });
    const key = await readHostKey(target, { environment: { home, env: {} }, signal });

    expect(key).toEqual({
      type: "ssh-ed25519",
      fingerprint: machine.hostKey,
      knownHostsLine: machine.knownHostsLine,
      known: false,
    });
  });

  it("is refused when it is not known, before anything is told to the machine", async () => {
    await using connection = connect({ hostKey: undefined });

    await expect(whoami(connection)).rejects.toMatchObject({
      code: "HOST_KEY_UNKNOWN",
      remedy: expect.stringContaining(machine.knownHostsLine),
    });
  });

  it("is known from known_hosts", async () => {
    writeFileSync(join(home, ".ssh/known_hosts"), machine.knownHostsLine);
    await using connection = connect({ hostKey: undefined });

    expect(await whoami(connection)).toBe("ubuntu\n");
  });

  it("is found among the machine's keys when another than the first is pinned", async () => {
    const { stdout } = await machine.exec("ssh-keygen -lf /etc/ssh/ssh_host_rsa_key.pub");
    await using connection = connect({ hostKey: stdout.split(" ")[1] });

    expect(await whoami(connection)).toBe("ubuntu\n");
  });

  it("is refused loudly when it has changed", async () => {
    await using connection = connect({ hostKey: `SHA256:${"A".repeat(43)}` });

    await expect(whoami(connection)).rejects.toMatchObject({
      code: "HOST_KEY_CHANGED",
      message: expect.stringContaining("HAS CHANGED"),
    });
  });

  it("is checked at each bastion on the way", async () => {
    const destination = "ubuntu@127.0.0.1";
    const jump = `ubuntu@${machine.address}:22`;
    writeFileSync(join(home, ".ssh/known_hosts"), machine.knownHostsLine);
    await using connection = connect({ destination, jump });
    const seen = await connection.shell.run("echo $SSH_CONNECTION", { signal });
    rmSync(join(home, ".ssh/known_hosts"));
    await using unknown = connect({ destination, jump });

    expect(seen.stdout).toMatch(/^127\.0\.0\.1 /);
    await expect(whoami(unknown)).rejects.toMatchObject({
      code: "HOST_KEY_UNKNOWN",
      message: expect.stringContaining(machine.address),
    });
  });
});

describe("a machine that cannot be reached", () => {
  it.each([
    ["by name", "no-such-host.invalid", /no machine of the name/],
    ["on the port", "127.0.0.1:1", /nothing listens/],
  ])("says that it is not there %s", async (_, destination, why) => {
    await using connection = connect({ destination });

    await expect(whoami(connection)).rejects.toMatchObject({
      code: "HOST_UNREACHABLE",
      message: expect.stringMatching(why),
    });
  });

  it("says so when something else than sshd listens, or nothing is said", async () => {
    await using other = await listen((socket) => socket.end("HTTP/1.0 400 Bad Request\r\n\r\n"));
    await using silent = await listen(() => {});
    await using wrong = connect({ destination: `127.0.0.1:${other.port}` });
    await using mute = openSshConnection(targetOf({ destination: `127.0.0.1:${silent.port}` }), {
      environment: { home, env: {} },
      connectTimeoutMs: 300,
    });

    await expect(whoami(wrong)).rejects.toMatchObject({ code: "HOST_UNREACHABLE" });
    await expect(whoami(mute)).rejects.toMatchObject({
      message: expect.stringContaining("does not answer in time"),
    });
  });
});

describe("a script", () => {
  let connection: SshConnection;
  beforeAll(() => {
    connection = connect({});
  });
  afterAll(async () => connection[Symbol.asyncDispose]());

  it("has its own standard input, and tells its output line by line and its exit code", async () => {
    const lines: string[] = [];
    const end = await connection.shell.run("read a; echo \"got '$a'\"; cat; echo no >&2; exit 7", {
      stdin: "first\nsecond $HOME",
      onLine: (line, stream) => lines.push(`${stream}: ${line}`),
      signal,
    });

    expect(end).toEqual({ exitCode: 7, stdout: "got 'first'\nsecond $HOME", stderr: "no\n" });
    expect(lines.toSorted()).toEqual(["stderr: no", "stdout: got 'first'", "stdout: second $HOME"]);
  });

  it("gets its standard input from a machine whose `head` reads more than it prints, as BusyBox's", async () => {
    const greedy = '#!/bin/sh\nsleep 0.5; dd bs=65536 count=1 2>/dev/null | /usr/bin/head "$@"\n';
    await machine.exec("cat > /usr/local/bin/head; chmod 755 /usr/local/bin/head", {
      stdin: Readable.from([greedy]),
    });
    const end = await connection.shell.run("cat", { stdin: "all of it", signal });
    await machine.exec("rm /usr/local/bin/head");

    expect(end).toEqual({ exitCode: 0, stdout: "all of it", stderr: "" });
  });

  it("may be longer than an argument, and hold every character", async () => {
    const text = `${"x".repeat(200_000)} \\ ' " ! \` é`;
    const script = `cat <<'END' | wc -c\n${text}\nEND`;

    const { stdout } = await connection.shell.run(script, { signal });

    expect(Number(stdout)).toBe(Buffer.byteLength(text) + 1);
  });

  it("is not disturbed by what the login prints", async () => {
    await machine.exec("echo 'echo welcome; echo to you >&2' > /home/ubuntu/.bashrc");
    const end = await connection.shell.run("echo mine", { signal });
    await machine.exec("rm /home/ubuntu/.bashrc");

    expect(end).toEqual({ exitCode: 0, stdout: "mine\n", stderr: "" });
  });

  it("is ended with all that it started when it is given up", async () => {
    const cancel = new AbortController();
    const running = connection.shell.run("sleep 4711 & sleep 4711 & echo on; wait", {
      onLine: () => cancel.abort(new Error("enough")),
      signal: cancel.signal,
    });

    await expect(running).rejects.toThrow("enough");
    expect(await processesOf("sleep 4711")).toBe("");
  });

  it("is ended when it takes too long", async () => {
    const running = connection.shell.run("sleep 4712", { limitMs: 300, signal });

    await expect(running).rejects.toMatchObject({
      code: "HOST_UNREACHABLE",
      message: expect.stringContaining("longer than 0.3 s"),
    });
    expect(await processesOf("sleep 4712")).toBe("");
  });

  it("waits for its turn when many run at once", async () => {
    const ends = await Promise.all(
      Array.from({ length: 24 }, (_, n) => connection.shell.run(`echo ${n}`, { signal })),
    );

    expect(ends.map(({ stdout }) => Number(stdout))).toEqual(ends.map((_, n) => n));
  });
});

describe("a connection", () => {
  it("is one, and leaves nothing behind when it is closed", async () => {
    const connection = connect({});
    const running = connection.shell.run("sleep 4713", { signal }).catch(() => {});
    await Promise.all(Array.from({ length: 8 }, () => whoami(connection)));
    const open = await processesOf("sshd: ubuntu@");
    await connection[Symbol.asyncDispose]();
    await running;

    expect(open.trim().split("\n")).toHaveLength(1);
    expect(await untilNone("sshd: ubuntu@")).toBe("");
    expect(await processesOf("sleep 4713")).toBe("");
  });

  it("comes back when it was cut, and tells so", async () => {
    await using connection = connect({});
    const changes = changesOf(connection);
    await whoami(connection);

    await machine.exec("pkill -KILL -f '[s]shd: ubuntu@'");

    expect(await changes.next()).toBeInstanceOf(Error);
    expect(await whoami(connection)).toBe("ubuntu\n");
    expect(await changes.next()).toBeUndefined();
  });

  it("ends the far side of one that died without a word, with its scripts", async () => {
    await using connection = openSshConnection(targetOf({}), {
      environment: { home, env: {} },
      keepaliveMs: 100,
    });
    const changes = changesOf(connection);
    await whoami(connection);
    const script = connection.shell.run("echo on; sleep 4714", { signal });
    const failed = expect(script).rejects.toMatchObject({ code: "HOST_UNREACHABLE" });
    await whoami(connection);

    // Stopped, it neither answers nor closes: like a machine behind a network that drops everything.
    const before = await processesOf("sshd: ubuntu@");
    await machine.exec("pkill -STOP -f '[s]shd: ubuntu@'");

    expect(await changes.next()).toBeInstanceOf(Error);
    await failed;
    expect(await whoami(connection)).toBe("ubuntu\n");
    expect(before).not.toBe("");
    expect(await processesOf("sleep 4714")).toBe("");
    expect((await processesOf("sshd: ubuntu@")).trim().split("\n")).toHaveLength(1);
  });
});

function targetOf(how: Partial<SshTarget>): SshTarget {
  return {
    name: "gpu-1",
    destination: `ubuntu@${machine.address}`,
    identityFile: machine.identityFile,
    hostKey: machine.hostKey,
    ...how,
  };
}

function connect(how: Partial<SshTarget>, env = {}): SshConnection {
  return openSshConnection(targetOf(how), { environment: { home, env } });
}

async function whoami({ shell }: SshConnection): Promise<string> {
  return (await shell.run("whoami", { signal })).stdout;
}

/** Its changes, one after the other. */
function changesOf(connection: SshConnection): { next(): Promise<Error | undefined> } {
  const changes = new EventEmitter();
  const told = on(changes, "change");
  connection.onChange((lost) => changes.emit("change", lost));
  return { next: async () => (await told.next()).value?.[0] };
}

async function processesOf(pattern: string): Promise<string> {
  return (await machine.exec(`pgrep -f '[${pattern[0]}]${pattern.slice(1)}' || true`)).stdout;
}

async function untilNone(pattern: string): Promise<string> {
  const self = `[${pattern[0]}]${pattern.slice(1)}`;
  return (
    await machine.exec(
      `timeout 10 sh -c "while pgrep -f '${self}'; do sleep 0.05; done" >/dev/null; pgrep -f '${self}' || true`,
    )
  ).stdout;
}

async function listen(answer: (socket: Socket) => void) {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    answer(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return { port, [Symbol.asyncDispose]: async () => void server.close() };
}

/** An agent that holds one key. */
async function startAgent(socketPath: string, keyFile: string) {
  const key = ssh2.utils.parseKey(readFileSync(keyFile));
  if (key instanceof Error) throw key;
  const server = createServer((socket) => {
    const agent = new ssh2.AgentProtocol(false);
    agent.on("identities", (request) => agent.getIdentitiesReply(request, [key]));
    agent.on("sign", (request, _key, data) => agent.signReply(request, key.sign(data)));
    socket.on("error", () => {});
    socket.pipe(agent).pipe(socket);
  }).listen(socketPath);
  await once(server, "listening");
  return { socketPath, [Symbol.asyncDispose]: async () => void server.close() };
}
