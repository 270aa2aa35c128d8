import { once } from "node:events";
import { createServer } from "node:net";
import { afterEach, beforeAll, describe, expect, it } from "@jest/globals";
import { collectGarbage } from "../../../src/containers/gc.ts";
import { findLeftovers, makeTestImages, testMachine } from "../../engine.ts";
import { aJobWithServices, aService, ask, ECHO, type JobWithServices } from "./services-fixture.ts";

const MIB = 2 ** 20;
const jobs: JobWithServices[] = [];

beforeAll(makeTestImages);
afterEach(async () => {
  for (const { jobId, leaks } of jobs.splice(0)) {
    expect(leaks).toEqual([]);
    expect(await findLeftovers(jobId)).toEqual([]);
  }
});

async function aJob(...container: Parameters<typeof aJobWithServices>): Promise<JobWithServices> {
  const job = await aJobWithServices(...container);
  jobs.push(job);
  return job;
}

async function ended(job: JobWithServices, containerId = ""): Promise<void> {
  await job.docker.getContainer(containerId).wait();
}

const BARE = { env: {}, ports: [], volumes: [], options: "" };
const SLEEP = "import time; time.sleep(600)";

describe("the services of a job without a container of its own", () => {
  it("are reached by name, and on every form of port of its localhost", async () => {
    await using job = await aJob();

    const ports = ["0:7001", "8080:7000", "81:7002", "9000-9005:7003", "7000/udp"];
    const { echo } = await job.start([await aService("echo", ECHO, { ports })]);

    expect(echo?.ports).toEqual({
      7000: "8080",
      "7000/udp": expect.stringMatching(/^\d+$/),
      7001: expect.stringMatching(/^\d+$/),
      7002: "81",
      7003: "9000",
    });
    for (const [host, port] of [
      ["echo", 7000],
      ["127.0.0.1", 8080],
      ["localhost", 8080],
    ] as const)
      expect(await job.python(ask(host, port, "hello"))).toBe("hello and the end");
    expect(job.lines).not.toContainEqual(expect.stringContaining("taken"));
  });

  it("speak UDP where a port says so", async () => {
    await using job = await aJob();
    const { echo } = await job.start([await aService("echo", ECHO, { ports: ["53:7000/udp"] })]);

    const said = await job.python(`
import socket
clients = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(50)]
for n, s in enumerate(clients): s.settimeout(5); s.sendto(b"from %d" % n, ("127.0.0.1", 53))
print([s.recv(100).decode() for s in clients] == ["FROM %d" % n for n in range(50)])`);

    expect([echo?.ports, said]).toEqual([{ 7000: "53" }, "True"]);
  });

  it("publish nothing on the host, so that two jobs may have the same port", async () => {
    await using one = await aJob();
    await using other = await aJob();
    const services = async (says: string) => [
      await aService("echo", ECHO.replace("and the end", says), { ports: ["8080:7000"] }),
    ];

    const started = await Promise.all([
      one.start(await services("one")),
      other.start(await services("other")),
    ]);

    expect(await one.python(ask("localhost", 8080, "it is"))).toBe("it is one");
    expect(await other.python(ask("localhost", 8080, "it is"))).toBe("it is other");
    for (const { echo } of started) {
      const { HostConfig: host } = await one.docker.getContainer(echo?.id ?? "").inspect();
      expect(host.PortBindings).toEqual({});
    }
  });

  it("carry much, many connections, and a reset", async () => {
    await using job = await aJob();
    await job.start([await aService("echo", ECHO, { ports: ["8080:7000"] })]);
    await job.python(ask("localhost", 8080, "ready"));

    const many = await job.python(`
import socket
all = [socket.create_connection(("127.0.0.1", 8080), timeout=20) for _ in range(1000)]
for n, s in enumerate(all): s.sendall(b"%d" % n); s.shutdown(socket.SHUT_WR)
print(sum(b"".join(iter(lambda: s.recv(99), b"")) == b"%d and the end" % n for n, s in enumerate(all)))`);
    const much = await job.python(`
import socket, threading, hashlib
block = bytes(range(256)) * 4096
s = socket.create_connection(("127.0.0.1", 8080))
def send():
    for _ in range(100): s.sendall(block)
    s.shutdown(socket.SHUT_WR)
threading.Thread(target=send).start()
got = sum(len(data) for data in iter(lambda: s.recv(1 << 20), b""))
print(got)`);
    const refused = await job.python(`
import socket, struct
s = socket.create_connection(("127.0.0.1", 8080))
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)); s.close()
s = socket.create_connection(("127.0.0.1", 8080)); s.sendall(b"still"); s.shutdown(socket.SHUT_WR)
print(b"".join(iter(lambda: s.recv(99), b"")).decode())`);

    expect(many).toBe("1000");
    expect(Number(much)).toBe(100 * MIB + " and the end".length);
    expect(refused).toBe("still and the end");
  });

  it("reset a connection that nobody takes at the service", async () => {
    await using job = await aJob();
    await job.start([await aService("echo", SLEEP, { ports: ["8080:7000"] })]);

    const said = await job.python(`
import socket
try: print(socket.create_connection(("127.0.0.1", 8080), timeout=5).recv(9))
except ConnectionError as error: print(type(error).__name__)`);

    expect(said).toBe("ConnectionResetError");
  });

  it("have all exposed ports on the localhost with --publish-all", async () => {
    await using job = await aJob();
    const options = "--publish-all --expose 7000";

    const { echo } = await job.start([await aService("echo", ECHO, { options })]);

    expect(await job.python(ask("localhost", echo?.ports[7000], "hi"))).toBe("hi and the end");
  });

  it("have the end of their log printed where a line has none", async () => {
    await using job = await aJob();
    const program = 'import sys; sys.stdout.write("x" * 9_000_000 + "the end"); sys.stdout.flush()';
    const { endless } = await job.start([await aService("endless", program)]);
    await job.docker.getContainer(endless?.id ?? "").wait();

    await job.stop();

    const longest = job.lines.toSorted((a, b) => b.length - a.length)[0] ?? "";
    expect(longest).toMatch(/xthe end$/);
    expect(longest.length).toBeLessThan(3_000_000);
  });

  it("do not take the name of another job", async () => {
    await using job = await aJob();
    const name = `berth-${job.jobId}-db`;
    const { jobImage: Image } = await testMachine();
    const other = await job.docker.createContainer({ name, Image, Cmd: ["true"] });

    try {
      await expect(job.start([await aService("db", SLEEP)])).resolves.toHaveProperty("db");
    } finally {
      await other.remove({ force: true });
    }
  });

  it("are forwarded by a container without rights", async () => {
    await using job = await aJob();
    await job.start([await aService("echo", ECHO, { ports: ["8080:7000"] })]);

    const filters = { label: [`io.berth.job=${job.jobId}`, "io.berth.kind=service"] };
    const found = await job.docker.listContainers({ filters });
    const forwarder = found.find(({ Names: [name = ""] }) => name.endsWith(".localhost"));
    const { HostConfig: host, Config: config } = await job.docker
      .getContainer(forwarder?.Id ?? "")
      .inspect();

    expect(host).toMatchObject({
      NetworkMode: `container:${job.place.containerId}`,
      CapDrop: ["ALL"],
      ReadonlyRootfs: true,
      Memory: 512 * MIB,
      Privileged: false,
    });
    expect([config.User, found.length]).toEqual(["65534:65534", 2]);
  });
});

describe("the services of a job in a container of its own", () => {
  it("are published on the host, on a free port where the one that was asked for is taken", async () => {
    const taken = createServer().listen(0, "0.0.0.0");
    await once(taken, "listening");
    const { port } = taken.address() as { port: number };
    try {
      const { jobImage } = await testMachine();
      await using job = await aJob({ ...BARE, image: jobImage });

      const { echo } = await job.start([
        await aService("echo", ECHO, { ports: [`${port}:7000`, "7001"] }),
      ]);

      expect(await job.python(ask("echo", 7000, "hello"))).toBe("hello and the end");
      expect(Number(echo?.ports[7001])).toBeGreaterThan(1023);
      expect(echo?.ports[7000]).not.toBe(String(port));
      expect(job.lines).toContain("A port of the host is taken; a free one is used instead.");
    } finally {
      taken.close();
    }
  });

  it("need a network on which containers have names", async () => {
    const { jobImage } = await testMachine();
    await using job = await aJob({ ...BARE, image: jobImage, options: "--network none" });

    await expect(job.start([await aService("echo", ECHO)])).rejects.toMatchObject({
      code: "CONTAINER_OPTION",
      message: expect.stringContaining('"none"'),
    });
  });
});

describe("a service", () => {
  it("has what its author gave it, and no init process before it", async () => {
    await using job = await aJob();
    const program = `
import os; print(os.environ["A"], os.environ["CI"], os.environ["GITHUB_ACTIONS"], os.getpid(), os.getuid(), os.getcwd(), os.listdir("/data"))`;
    const service = await aService("it", program, {
      env: { A: "a b", CI: "no" },
      volumes: ["/data"],
      options: "--user 33 --workdir /usr --memory 64m",
    });

    const { it } = await job.start([service]);

    const { HostConfig: host } = await job.docker.getContainer(it?.id ?? "").inspect();
    await ended(job, it?.id);
    await job.stop();
    expect(job.lines).toContain("a b no true 1 33 /usr []");
    expect(host.Memory).toBe(64 * MIB);
  });

  it("that has ended while others start is warned of, with its log", async () => {
    await using job = await aJob();
    const slow = await aService(
      "slow",
      "import time; time.sleep(2); open('/tmp/up', 'w'); time.sleep(600)",
      {
        options: '--health-cmd "test -f /tmp/up" --health-interval 200ms --health-retries 100',
      },
    );

    await job.start([await aService("brief", "print('that was all'); exit(4)"), slow]);

    expect(job.lines).toContain(
      "##[warning]The service 'brief' has ended already. Its exit code was 4.",
    );
    expect(job.lines).toContain("that was all");
  });

  it("that fails later is warned of when the job ends", async () => {
    await using job = await aJob();
    const { late } = await job.start([
      await aService("late", "import time; time.sleep(1); exit(5)"),
    ]);

    await ended(job, late?.id);
    await job.stop();

    expect(job.lines).toContainEqual(
      expect.stringMatching(
        /^##\[warning\].*\.late ended before the job did. Its exit code was 5.$/,
      ),
    );
  });

  it("that cannot be had is named, and keeps no other waiting", async () => {
    await using job = await aJob();
    const never = await aService("never", SLEEP, {
      options: '--health-cmd "exit 1" --health-interval 1h',
    });

    await expect(
      job.start([never, { ...BARE, id: "typo", image: "no/such:1", options: "--pull never" }]),
    ).rejects.toMatchObject({
      code: "IMAGE_NOT_FOUND",
      message: expect.stringMatching(/^Service 'typo': /),
    });
  });

  it("is left where it is when the job is cancelled while it starts, and goes with the job", async () => {
    await using job = await aJob();
    const cancel = new AbortController();
    const never = await aService("never", SLEEP, {
      ports: ["80"],
      options: '--health-cmd "exit 1" --health-interval 1h',
    });

    const starting = job.start([never], cancel.signal);
    const isWaiting = () => job.lines.some((line) => line.includes("never service is starting"));
    while (!isWaiting()) await new Promise((resolve) => setTimeout(resolve, 20));
    cancel.abort();

    await expect(starting).rejects.toThrow("aborted");
    await job.stop();
    expect(await findLeftovers(job.jobId)).not.toContainEqual(expect.stringContaining("never"));
  });

  it("of an earlier attempt is removed before it is started anew", async () => {
    await using job = await aJob();
    const service = await aService("echo", ECHO, { ports: ["8080:7000"] });
    const before = await job.start([service]);

    const after = await job.start([service]);

    expect(after.echo?.id).not.toBe(before.echo?.id);
    expect(await job.python(ask("localhost", 8080, "again"))).toBe("again and the end");
  });

  it("gives its environment to nobody else, and its credentials to no container", async () => {
    await using job = await aJob();
    const env = { TOKEN: "s3cret-of-the-service" };
    const credentials = { username: "me", password: "s3cret-of-the-registry" };

    await job.start([await aService("echo", ECHO, { env, credentials, ports: ["7000"] })]);

    const filters = { label: [`io.berth.job=${job.jobId}`] };
    const [others, own] = [[] as string[], [] as string[]];
    for (const { Id, Names } of await job.docker.listContainers({ all: true, filters })) {
      const facts = JSON.stringify(await job.docker.getContainer(Id).inspect());
      (Names.some((name) => name.endsWith(".echo")) ? own : others).push(facts);
    }
    expect(others).toHaveLength(2);
    expect(others.join()).not.toContain("s3cret");
    expect(own.join().replaceAll("TOKEN=s3cret-of-the-service", "")).not.toContain("s3cret");
  });
});

it("gc removes a dead job's services, their volumes and what forwards their ports", async () => {
  const job = await aJob();
  await job.start([await aService("echo", ECHO, { ports: ["8080:7000"], volumes: ["/data"] })]);

  const { removed, leaks } = await collectGarbage(job.docker, {
    run: `run-${job.jobId}`,
    isAlive: () => false,
  });

  expect(leaks).toEqual([]);
  expect(removed.filter(({ kind }) => kind === "container")).toHaveLength(3);
  expect(await findLeftovers(job.jobId)).toEqual([]);
});
