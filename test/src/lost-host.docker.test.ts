import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { openEngineHost } from "../../src/engine-host.ts";
import { goneGpus } from "../../src/fleet/gone-gpus.ts";
import type { HostPlaces } from "../../src/fleet/host-places.ts";
import { type HostWatch, watchHosts } from "../../src/fleet/watch-hosts.ts";
import type { HostAccess } from "../../src/hosts/host-access.ts";
import { openHost } from "../../src/hosts/open-host.ts";
import { openScheduler } from "../../src/scheduler/open-scheduler.ts";
import type { HostStatus, Scheduler } from "../../src/scheduler/scheduler.ts";
import { openStore } from "../../src/store/open-store.ts";
import type { Store } from "../../src/store/store.ts";
import { type HostMachine, startHostMachine } from "../host-machines.ts";
import { quietLog } from "./fleet/quiet-log.ts";
import { temporaryFolder } from "./store/records.ts";

const GPU = "GPU-00000000-0000-4000-8000-000000000001";
const stack = new AsyncDisposableStack();
const never = new AbortController().signal;
const connect = { env: {}, home: "/nonexistent", uid: 0, stateDir: "/nonexistent" };
let machine: HostMachine;
let access: HostAccess;
let store: Store;
let scheduler: Scheduler;
let watch: HostWatch;

beforeAll(async () => {
  machine = stack.use(await startHostMachine({ name: "lost", jobImage: true, gpus: [GPU] }));
  const folder = stack.use(temporaryFolder());
  store = stack.use(await openStore(folder.path));
  const { address, port, identityFile, hostKey } = machine;
  const ssh = { destination: `root@${address}:${port}`, identityFile, hostKey };
  access = stack.use(await openHost({ name: "lost", ssh }, { connect }));
  scheduler = await openScheduler({ store: store.leases, hosts: [], limits: {} });
  watch = stack.use(watchOf(engineHost()));
  await watch.probe(never);
  expect(status().closed).toBeUndefined();
}, 120_000);
afterAll(() => stack.disposeAsync());

it.each([
  {
    what: "its engine stops",
    breaks: () =>
      machine.exec(
        "pid=$(cat /run/docker.pid); kill $pid; while [ -e /proc/$pid ]; do sleep 0.05; done",
      ),
    mends: () => machine.exec("sh /usr/local/sbin/start-engine"),
    says: /Docker is installed there, and does not run|engine/i,
  },
  {
    what: "its login is refused",
    breaks: () =>
      machine.exec("mv /root/.ssh/authorized_keys /root/kept; pkill -KILL -f '^sshd: root'"),
    mends: () => machine.exec("mv /root/kept /root/.ssh/authorized_keys"),
    says: /refused the login|login/i,
  },
  {
    what: "its network is unplugged",
    breaks: () => machine.disconnect(),
    mends: () => machine.reconnect(),
    says: /not answer|did not|lost|no route/i,
  },
])(
  "is closed with the reason when $what, and opens again",
  async ({ breaks, mends, says }) => {
    await breaks();
    while (!says.test(status().closed ?? "")) await watch.probe(never);
    await mends();
    await watch.answers("lost", { onProblem() {}, signal: never });

    expect(status().closed).toBeUndefined();
  },
  60_000,
);

it("has a GPU no more that is gone", async () => {
  await watch.probe(never);
  const before = gone();
  await machine.exec("mv $(command -v nvidia-smi) /root/");
  await watch.probe(never);

  expect(before).toEqual([]);
  expect(gone()).toEqual([expect.stringContaining(GPU)]);
});

function engineHost(): HostPlaces {
  const host = { access, connect, slots: 2, serviceId: "lost", log: quietLog() };
  return openEngineHost({ ...host, metadataAddresses: [] });
}

function watchOf(host: HostPlaces): HostWatch {
  return watchHosts([host], { scheduler, store: store.hosts, log: quietLog() });
}

function status(): HostStatus {
  const [host] = scheduler.hosts();
  if (host === undefined) throw new Error("no host");
  return host;
}

function gone(): string[] {
  const { capability } = status();
  return capability === undefined ? ["unknown"] : goneGpus({ gpus: [GPU] }, capability);
}
