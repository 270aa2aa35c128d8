import type { PortMapping } from "./read-ports.ts";

/** A mount in the engine's own words; the parts that the engine calls `HostConfig.Mounts`. */
export type Mount = {
  readonly Type: "bind" | "volume" | "tmpfs" | "image";
  readonly Target: string;
  readonly Source?: string;
  readonly ReadOnly?: boolean;
  readonly Consistency?: string;
  readonly BindOptions?: { Propagation?: string; NonRecursive?: boolean; [more: string]: unknown };
  readonly VolumeOptions?: {
    NoCopy?: boolean;
    Labels?: { [label: string]: string };
    DriverConfig?: { Name?: string; Options?: { [option: string]: string } };
    Subpath?: string;
  };
  readonly TmpfsOptions?: { SizeBytes?: number; Mode?: number };
  readonly ImageOptions?: { Subpath?: string };
};

export type DeviceRequest = {
  readonly Driver?: string;
  readonly Count?: number;
  readonly DeviceIDs?: readonly string[];
  readonly Capabilities?: readonly (readonly string[])[];
  readonly Options?: { readonly [key: string]: string };
};

type ThrottleDevice = { readonly Path: string; readonly Rate: number };

/** The parts of the engine's `HostConfig` that options reach. */
export type HostSettings = {
  Annotations?: { [name: string]: string };
  Binds?: string[];
  BlkioDeviceReadBps?: ThrottleDevice[];
  BlkioDeviceReadIOps?: ThrottleDevice[];
  BlkioDeviceWriteBps?: ThrottleDevice[];
  BlkioDeviceWriteIOps?: ThrottleDevice[];
  BlkioWeight?: number;
  BlkioWeightDevice?: { Path: string; Weight: number }[];
  CapAdd?: string[];
  CapDrop?: string[];
  CgroupnsMode?: string;
  CgroupParent?: string;
  CpuPeriod?: number;
  CpuQuota?: number;
  CpuRealtimePeriod?: number;
  CpuRealtimeRuntime?: number;
  CpusetCpus?: string;
  CpusetMems?: string;
  CpuShares?: number;
  DeviceCgroupRules?: string[];
  DeviceRequests?: DeviceRequest[];
  Devices?: { PathOnHost: string; PathInContainer: string; CgroupPermissions: string }[];
  Dns?: string[];
  DnsOptions?: string[];
  DnsSearch?: string[];
  ExtraHosts?: string[];
  GroupAdd?: string[];
  Init?: boolean;
  IpcMode?: string;
  KernelMemory?: number;
  Links?: string[];
  Memory?: number;
  MemoryReservation?: number;
  MemorySwap?: number;
  MemorySwappiness?: number;
  NanoCpus?: number;
  OomKillDisable?: boolean;
  OomScoreAdj?: number;
  PidMode?: string;
  PidsLimit?: number;
  Privileged?: boolean;
  PublishAllPorts?: boolean;
  ReadonlyRootfs?: boolean;
  Runtime?: string;
  SecurityOpt?: string[];
  ShmSize?: number;
  StorageOpt?: { [option: string]: string };
  Sysctls?: { [name: string]: string };
  Tmpfs?: { [path: string]: string };
  Ulimits?: { Name: string; Soft: number; Hard: number }[];
  UsernsMode?: string;
  UTSMode?: string;
  VolumeDriver?: string;
  VolumesFrom?: string[];
};

export type HealthCheck = {
  Test?: string[];
  Interval?: number;
  Timeout?: number;
  StartPeriod?: number;
  StartInterval?: number;
  Retries?: number;
};

/** The parts of the engine's container configuration that options reach. */
export type ConfigSettings = {
  Domainname?: string;
  Entrypoint?: string[];
  Healthcheck?: HealthCheck;
  Hostname?: string;
  StopSignal?: string;
  StopTimeout?: number;
  User?: string;
  WorkingDir?: string;
};

/** One network to join; `name` may also be `host`, `none`, `bridge` or `container:…`. */
export type NetworkAttachment = {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly ipv4?: string;
  readonly ipv6?: string;
  readonly linkLocalIps?: readonly string[];
  readonly macAddress?: string;
  readonly driverOptions?: { readonly [name: string]: string };
  readonly gatewayPriority?: number;
};

/** What an `options:` string asks for, in the engine's words. */
export type ContainerOptions = {
  readonly name?: string;
  readonly platform?: string;
  readonly pull?: "always" | "missing" | "never";
  readonly config: ConfigSettings;
  readonly host: HostSettings;
  /** `NAME=value`; a bare `NAME` takes the image's variable away. */
  readonly env: readonly string[];
  readonly labels: { readonly [name: string]: string };
  readonly mounts: readonly Mount[];
  /** Paths of anonymous volumes. */
  readonly anonymousVolumes: readonly string[];
  readonly ports: readonly PortMapping[];
  /** `80/tcp` */
  readonly exposedPorts: readonly string[];
  /** Empty: the network that Berth makes. */
  readonly networks: readonly NetworkAttachment[];
  /** Aliases on the network that Berth makes, when `networks` is empty. */
  readonly aliases: readonly string[];
  /** What was accepted without effect, one sentence each. */
  readonly notes: readonly string[];
};
