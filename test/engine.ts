import { homedir } from "node:os";
import { connectEngine, type Engine } from "../src/containers/connect-engine.ts";
import { JOB_LABEL } from "../src/containers/labels.ts";
import { type Machine, prepareImages } from "../src/hosts/prepare-machine.ts";
import type { SetupEvent } from "../src/hosts/setup-step.ts";
import { stateFolder } from "../src/store/state-folder.ts";

const uid = process.getuid?.() ?? 0;
const connect = {
  env: process.env,
  home: homedir(),
  uid,
  stateDir: stateFolder(process.env, uid),
};

/** The engine that tests run on; it fails, and says what to do, where there is none. */
export function testEngine(): Promise<Engine> {
  return connectEngine(connect);
}

/** The engine with the job image and the volume that has Node. */
export function testMachine(): Promise<Machine> {
  return prepare([]);
}

/** The job image's name. */
export async function jobImage(): Promise<string> {
  return (await prepare([])).jobImage;
}

/** Makes `berth-test/debian`, which has bash and no more, and `berth-test/busybox`, which has nothing else. */
export async function makeTestImages(): Promise<void> {
  await prepare([
    {
      tag: "berth-test/debian:latest",
      files: new Map([["Dockerfile", "ARG BASE\nFROM $BASE\n"]]),
    },
    {
      tag: "berth-test/busybox:latest",
      files: new Map([
        [
          "Dockerfile",
          [
            "ARG BASE",
            "FROM $BASE AS made",
            "RUN apt-get update && apt-get install --yes --no-install-recommends busybox-static",
            "RUN mkdir -p /root-fs/bin /root-fs/tmp && chmod 1777 /root-fs/tmp && cp /bin/busybox /root-fs/bin/ \\",
            "  && for applet in $(busybox --list); do ln -s busybox /root-fs/bin/$applet 2>/dev/null || true; done",
            "FROM scratch",
            "COPY --from=made /root-fs/ /",
            "ENV PATH=/bin",
          ].join("\n"),
        ],
      ]),
    },
  ]);
}

/** Names of the containers, networks and volumes that belong to a job. */
export async function findLeftovers(jobId: string): Promise<string[]> {
  const { docker } = await testEngine();
  const filters = { label: [`${JOB_LABEL}=${jobId}`] };
  const [containers, networks, { Volumes: volumes }] = await Promise.all([
    docker.listContainers({ all: true, filters }),
    docker.listNetworks({ filters }),
    docker.listVolumes({ filters }),
  ]);
  return [
    ...containers.flatMap(({ Names }) => Names),
    ...networks.map(({ Name }) => Name),
    ...volumes.map(({ Name }) => Name),
  ];
}

/** Sees to it that the engine has the job image and `images`; does nothing where it has. */
export async function prepare(
  images: Parameters<typeof prepareImages>[1],
  report: (event: SetupEvent) => void = () => {},
) {
  return prepareImages(await testEngine(), images, {
    connect,
    report,
    signal: new AbortController().signal,
  });
}
