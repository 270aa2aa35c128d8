import { type CreateRequest, LOG_CONFIG, PIDS_LIMIT } from "../container-request.ts";
import type { Labels } from "../labels.ts";
import type { HostSettings } from "../options/container-options.ts";
import { DIND_FOLDER } from "./dind-places.ts";
import { DIND_ENTRYPOINT, DIND_SCRIPT } from "./dind-script.ts";

/** What a daemon's container may do on its host: `docs/guide/dind.md` says what each gives away. */
export type DindMode = "rootless" | "capabilities" | "privileged";

export type DindRequest = {
  readonly mode: DindMode;
  readonly image: string;
  readonly name?: string;
  readonly labels: Labels;
  /** `container:ID` of the job, whose network the daemon shares: what it publishes is on the job's localhost. */
  readonly network: string;
  /** Of the job's container. */
  readonly limits: HostSettings;
  /** Of the socket; an anonymous one when left out. */
  readonly volume?: string;
  /** Whether the client is to be left beside the socket. */
  readonly leavesClient?: boolean;
  /** Whether it runs one container when it is ready. */
  readonly proves?: boolean;
};

/** Those of any container by Docker's defaults, which containers in it get too, and two more: to mount, and to make networks. */
const CAPABILITIES =
  "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP SETUID SYS_CHROOT SYS_ADMIN NET_ADMIN".split(
    " ",
  );

/** For the root that prepares a rootless daemon, and for the programs that map its users. */
const PREPARING = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID"];

/** Its own filters hold for what it runs; for the daemon itself those of the engine are too narrow. */
const UNCONFINED = ["seccomp=unconfined", "apparmor=unconfined", "label=disable"];

/** The least with which a daemon works in each mode. */
const RIGHTS: { readonly [mode in DindMode]: { readonly [setting: string]: unknown } } = {
  rootless: {
    CapDrop: ["ALL"],
    CapAdd: PREPARING,
    SecurityOpt: UNCONFINED,
    // A user namespace may mount /proc only where nothing of the outer one is hidden. Its root is nobody to the files in there.
    MaskedPaths: [],
    ReadonlyPaths: [],
    Devices: [
      { PathOnHost: "/dev/net/tun", PathInContainer: "/dev/net/tun", CgroupPermissions: "rwm" },
    ],
  },
  capabilities: { CapDrop: ["ALL"], CapAdd: CAPABILITIES, SecurityOpt: UNCONFINED },
  privileged: { Privileged: true },
};

/** The engine's create request for the container of a job's own daemon. */
export function dindRequest(request: DindRequest): CreateRequest {
  const { mode, image, name, labels, network, limits, volume, leavesClient, proves } = request;
  const socketVolume = volume === undefined ? { labels } : { source: volume };
  const body = {
    Image: image,
    User: "0:0",
    WorkingDir: "/",
    Entrypoint: DIND_ENTRYPOINT,
    Cmd: [mode],
    Env: [
      `BERTH_SCRIPT=${DIND_SCRIPT}`,
      "DOCKER_TLS_CERTDIR=",
      ...(leavesClient ? ["BERTH_CLIENT=1"] : []),
      ...(proves ? ["BERTH_PROOF=1"] : []),
    ],
    Labels: { ...labels },
    HostConfig: {
      PidsLimit: PIDS_LIMIT,
      ...limitsOf(limits),
      NetworkMode: network,
      CgroupnsMode: "private",
      LogConfig: LOG_CONFIG,
      ...RIGHTS[mode],
      Mounts: [
        volumeAt(DIND_FOLDER, socketVolume),
        // Not a folder of the container: an overlay cannot lie upon another.
        volumeAt("/var/lib/docker", { labels }),
      ],
    },
  };
  return { _query: name === undefined ? {} : { name }, _body: body };
}

function volumeAt(target: string, { source, labels }: { source?: string; labels?: Labels }) {
  const options = { NoCopy: true, ...(labels !== undefined && { Labels: { ...labels } }) };
  return {
    Type: "volume" as const,
    ...(source !== undefined && { Source: source }),
    Target: target,
    VolumeOptions: options,
  };
}

const LIMITS = [
  "BlkioWeight",
  "CpuPeriod",
  "CpuQuota",
  "CpuShares",
  "CpusetCpus",
  "CpusetMems",
  "Memory",
  "MemoryReservation",
  "MemorySwap",
  "NanoCpus",
  "PidsLimit",
] as const satisfies readonly (keyof HostSettings)[];

function limitsOf(host: HostSettings): HostSettings {
  const limits: { [name: string]: unknown } = {};
  for (const name of LIMITS) if (host[name] !== undefined) limits[name] = host[name];
  return limits;
}
