import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { openHost } from "../../src/hosts/open-host.ts";
import { type HostMachine, startHostMachine } from "../../test/host-machines.ts";
import { type Figures, median, medians } from "./figures.ts";
import { makeRepository, runBerth, workflowOf } from "./run-workflow.ts";

const STEPS = 200;
const HOSTS = 20;
const NAME = "bench";

/**
 * What it costs that a host is reached over SSH: its engine is in a container of this machine, so that the network takes no time.
 *
 * @param bareStepMs What a trivial step takes without Berth, in milliseconds.
 */
export async function measureSsh(
  note: Figures["note"],
  { rounds, bareStepMs }: { readonly rounds: number; readonly bareStepMs: number },
): Promise<void> {
  const sshdConfig = ["MaxStartups 200:30:400", "MaxSessions 200"];
  await using host = await startHostMachine({ name: NAME, jobImage: true, sshdConfig });
  await measureSteps(note, host, { rounds, bareStepMs });

  const one = await median(rounds, () => probeMs(host, 1));
  note("over SSH: connecting to a host and probing it", one, "ms");
  const many = await median(rounds, () => probeMs(host, HOSTS));
  note(`over SSH: ${HOSTS} hosts, connected to and probed side by side`, many, "ms");
  note("… / one", many / one, "×");
}

/** On the host's engine and on this machine's in turns. */
async function measureSteps(
  note: Figures["note"],
  host: HostMachine,
  { rounds, bareStepMs }: { readonly rounds: number; readonly bareStepMs: number },
): Promise<void> {
  using repository = makeRepository(workflowOf(Array.from({ length: STEPS }, () => "true")));
  using configuration = writeConfiguration(host);
  const perStep = async (args: readonly string[]) => {
    const { steps } = await runBerth(repository.folder, args);
    return ((steps.at(-1)?.endMs ?? 0) - (steps[0]?.startMs ?? 0)) / steps.length;
  };
  const [here, there] = await medians(rounds, [
    () => perStep([]),
    () => perStep(["--host", NAME, "--config", configuration.file]),
  ]);
  note(`over SSH: a trivial step (of ${STEPS})`, there, "ms");
  note("… overhead / the same on this machine", (there - bareStepMs) / (here - bareStepMs), "×", 2);
}

function writeConfiguration({
  address,
  identityFile,
  hostKey,
}: HostMachine): Disposable & { readonly file: string } {
  const folder = mkdtempSync(join(tmpdir(), "berth-bench-host-"));
  const file = join(folder, "berth.yml");
  const host = { name: NAME, ssh: `root@${address}`, identityFile, hostKey };
  writeFileSync(file, JSON.stringify({ hosts: [host] }));
  return { file, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Each with a connection of its own, which is closed outside of what is measured. */
async function probeMs({ address, identityFile, hostKey }: HostMachine, count: number) {
  const signal = AbortSignal.timeout(60_000);
  const connect = { env: {}, home: homedir(), uid: process.getuid?.() ?? 0, stateDir: tmpdir() };
  await using stack = new AsyncDisposableStack();
  const names = Array.from({ length: count }, (_, n) => `${NAME}-${n}`);
  const begun = performance.now();
  const hosts = await Promise.all(
    names.map((name) =>
      openHost(
        { name, ssh: { destination: `root@${address}`, identityFile, hostKey } },
        { connect },
      ),
    ),
  );
  for (const host of hosts) stack.use(host);
  await Promise.all(hosts.map((host) => host.probe(signal)));
  return performance.now() - begun;
}
