import { homedir } from "node:os";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import type Docker from "dockerode";
import { jobsOfService } from "../../src/containers/gc.ts";
import { ContainerSettings } from "../../src/containers/settings.ts";
import { type EngineHostOptions, openEngineHost } from "../../src/engine-host.ts";
import type { HostPlaces, PlaceTerms } from "../../src/fleet/host-places.ts";
import { openHost as openAccess } from "../../src/hosts/open-host.ts";
import type { Log } from "../../src/log.ts";
import { stateFolder } from "../../src/store/state-folder.ts";
import { findLeftovers, testMachine } from "../engine.ts";
import { execIn } from "./containers/exec-in.ts";
import { tinyImage } from "./containers/tiny-image.ts";

const MIB = 2 ** 20;
const IMAGE = `berth-test/host-${process.pid}:latest`;
const SERVICE = `test-${process.pid}`;
/** Of a network for documentation: nobody answers there, and without the rule nobody refuses. */
const METADATA = "192.0.2.77";
const signal = AbortSignal.timeout(120_000);
const uid = process.getuid?.() ?? 0;
const connect = {
  env: process.env,
  home: homedir(),
  uid,
  stateDir: stateFolder(process.env, uid),
};
const stack = new AsyncDisposableStack();
const warnings: unknown[] = [];
let docker: Docker;
let host: HostPlaces;

beforeAll(async () => {
  const { engine, jobImage } = await testMachine();
  ({ docker } = engine);
  stack.use(await tinyImage(docker, IMAGE));
  stack.defer(() => removeRules(jobImage));
  host = await openHost();
  stack.use(host);
});
afterAll(() => stack.disposeAsync());

it("is probed under its own name, with the engine that its jobs are given to", async () => {
  const capability = await host.probe(signal);

  expect(capability).toMatchObject({ name: "here", engines: [{ usable: true }] });
  expect(capability.cpus).toBeGreaterThan(0);
});

it("makes a job's container with what was leased and what its profile says", async () => {
  const jobId = `${SERVICE}.terms`;
  const settings = ContainerSettings.parse({
    image: IMAGE,
    name: `${SERVICE}-named`,
    environment: { FROM_PROFILE: "yes" },
    volumes: [{ target: "/data" }],
    network: { extraHosts: { "db.example": "192.0.2.5" } },
    resources: { pidsLimit: 77, ulimits: { nofile: 512 } },
  });
  const place = await open(jobId, { settings });

  const facts = await docker.getContainer(place.containerId ?? "").inspect();
  expect(facts).toMatchObject({
    Name: `/${SERVICE}-named`,
    Config: { Image: IMAGE, Labels: { "io.berth.service": SERVICE, "io.berth.job": jobId } },
    HostConfig: {
      NanoCpus: 5e8,
      Memory: 64 * MIB,
      MemorySwap: 64 * MIB,
      PidsLimit: 77,
      ExtraHosts: ["db.example:192.0.2.5"],
      Ulimits: [{ Name: "nofile", Soft: 512, Hard: 512 }],
    },
  });
  expect(facts.Config.Env).toEqual(
    expect.arrayContaining(["FROM_PROFILE=yes", "NVIDIA_VISIBLE_DEVICES=void"]),
  );
  expect(facts.Mounts.map(({ Destination }) => Destination)).toContain("/data");

  await place[Symbol.asyncDispose]();
  expect(await findLeftovers(jobId)).toEqual([]);
});

it("gives jobs the proxy and the certificates that they need to reach the world", async () => {
  const ca = "-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----";
  const network = { proxy: { https: "http://proxy:3128", no: ["localhost", ".internal"] }, ca };
  await using behind = await openHost(undefined, { network });
  const settings = ContainerSettings.parse({
    image: IMAGE,
    environment: { no_proxy: "of the profile" },
  });
  await using place = await open(`${SERVICE}.network`, { settings }, behind);

  const show = 'env; tail -n 3 "$SSL_CERT_FILE"';
  const { output } = await execIn(docker, place.containerId ?? "", ["sh", "-c", show]);
  const said: Buffer[] = [];
  await place.siblings?.runContainer(
    { image: IMAGE, entrypoint: "sh", args: ["-c", show], env: {} },
    {
      ...{ key: "step", kill: signal, signal: new AbortController().signal },
      onOutput: (bytes: Buffer) => said.push(bytes),
    } as never,
  );

  expect(output).toContain("HTTPS_PROXY=http://proxy:3128");
  expect(output).toContain("https_proxy=http://proxy:3128");
  expect(output).toContain("NO_PROXY=localhost,.internal");
  expect(output).toContain("no_proxy=of the profile");
  expect(output).toContain(ca);
  expect(Buffer.concat(said).toString()).toContain("no_proxy=localhost,.internal");
  expect(Buffer.concat(said).toString()).toContain(ca);
});

it("refuses what a job sends to a metadata address", async () => {
  await using place = await open(`${SERVICE}.metadata`, { image: undefined });

  const connecting = ["bash", "-c", `exec 3<>/dev/tcp/${METADATA}/80`];
  const { output } = await execIn(docker, place.containerId ?? "", connecting);

  expect(output).toMatch(/refused/i);
  expect(warnings).toEqual([]);
});

it("holds a service to the same limits, under the same label", async () => {
  const jobId = `${SERVICE}.siblings`;
  await using place = await open(jobId);
  const said = { id: "db", image: IMAGE, command: "sleep 60" };
  const service = { ...said, env: {}, ports: [], volumes: [], options: "" };
  const step = { progress: () => {}, signal };

  const { db } = (await place.siblings?.startServices([service], step)) ?? {};

  expect(await docker.getContainer(db?.id ?? "").inspect()).toMatchObject({
    Config: { Labels: { "io.berth.service": SERVICE, "io.berth.kind": "service" } },
    HostConfig: { NanoCpus: 5e8, Memory: 64 * MIB },
  });
});

it("finds and removes what a life before it left of a job", async () => {
  const jobId = `${SERVICE}.left`;
  const place = await open(jobId);
  place.abandon?.();
  await place[Symbol.asyncDispose]();

  await using next = await openHost();
  expect(await next.jobsWithRemains()).toContain(jobId);
  await next.removeJob(jobId);

  expect(await next.jobsWithRemains()).not.toContain(jobId);
  expect(await findLeftovers(jobId)).toEqual([]);
  expect(await jobsOfService(docker, "some-other-service")).toEqual([]);
});

it("has its engine ready for jobs that were given to it though its disk is too full for others", async () => {
  const jobId = `${SERVICE}.full`;
  const access = await openAccess({ name: "here" }, { connect });
  const engine = await access.engine(undefined, signal);
  // Nothing of this engine is to be removed for the space it takes: other tests need it.
  const listing = { listImages: async () => [], listVolumes: async () => ({ Volumes: [] }) };
  const blind = { ...engine, docker: Object.assign(Object.create(docker), listing) };
  const full = await openHost(undefined, {
    access: { ...access, engine: async () => blind },
    keepFreeBytes: Number.MAX_SAFE_INTEGER,
  });
  await expect(full.probe(signal)).rejects.toMatchObject({
    message: expect.stringContaining("MiB are free on the disk of the engine"),
  });
  const place = await open(jobId, {}, full);
  expect(place.containerId).toBeDefined();

  await host.removeJob(jobId);
  expect(await findLeftovers(jobId)).toEqual([]);
});

it("says in words that it is not usable where no engine answers", async () => {
  await using gone = await openHost("unix:///nowhere/docker.sock");

  await expect(gone.probe(signal)).rejects.toMatchObject({
    code: "HOST_UNUSABLE",
    message: expect.stringMatching(
      /The host here cannot run jobs now\.[\s\S]*unix:\/\/\/nowhere\/docker\.sock \(docker in berth\.yml\)/,
    ),
  });
});

async function openHost(
  endpoint?: string,
  more: Partial<EngineHostOptions> = {},
): Promise<HostPlaces> {
  const hear = (...said: unknown[]) => void warnings.push(said);
  const log: Log = { error: hear, warn: hear, info: () => {}, debug: () => {} } as Log;
  return openEngineHost({
    access: await openAccess({ name: "here", docker: endpoint }, { connect }),
    slots: 2,
    connect,
    serviceId: SERVICE,
    log,
    metadataAddresses: [METADATA],
    ...more,
  });
}

function open(jobId: string, terms: Partial<PlaceTerms> = {}, on = host) {
  const lease = { jobId, host: "here", cpus: 0.5, memoryBytes: 64 * MIB, gpus: [], leasedAtMs: 0 };
  const request = { jobId, runId: SERVICE, repository: "repo", labels: ["berth"] };
  return on.openPlace({
    lease: { repository: "o/repo", ...lease } as PlaceTerms["lease"],
    need: { gpus: 0, rootless: false, dind: false },
    image: IMAGE,
    ...terms,
  })(request, { journal: undefined, progress: () => {}, placed: () => {}, signal });
}

async function removeRules(image: string): Promise<void> {
  const chains = ["DOCKER-USER", "FORWARD", "INPUT"].map(
    (chain) =>
      `iptables -w 10 -D ${chain} -i berth+ -d ${METADATA} -p tcp ! --dport 53 -j REJECT 2>/dev/null`,
  );
  const container = await docker.createContainer({
    Image: image,
    User: "0:0",
    Entrypoint: ["chroot", "/host", "/bin/sh", "-c", chains.join("; ")],
    HostConfig: { NetworkMode: "host", Binds: ["/:/host:ro"], CapAdd: ["NET_ADMIN", "NET_RAW"] },
  });
  await container.start();
  await container.wait();
  await container.remove({ force: true });
}
