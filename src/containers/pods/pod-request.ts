/**
 * A container that a person asks for, in the words of the flags of `berth container create`: what is wrong with one is said of the flag. Left out is what the
 * image or the engine has.
 */
export type PodRequest = {
  /** As in `docker pull`. */
  readonly image: string;
  readonly name?: string | undefined;
  /** In place of the image's command; its entrypoint stays. */
  readonly command?: readonly string[] | undefined;
  /** In place of the image's entrypoint; the image's command goes with it. */
  readonly entrypoint?: string | undefined;
  /** `NAME=value` */
  readonly env?: readonly string[] | undefined;
  /** `source:target[:mode]` or `target`. */
  readonly volumes?: readonly string[] | undefined;
  /** `[[ip:][host]:]container[/udp]`, also ranges. */
  readonly ports?: readonly string[] | undefined;
  /** `512m`, `16GB` */
  readonly memory?: string | undefined;
  /** Memory and swap together; `-1` for no limit. */
  readonly memorySwap?: string | undefined;
  readonly shm?: string | undefined;
  /** May be a fraction. */
  readonly cpus?: string | undefined;
  /** `0-3,7` */
  readonly cpuset?: string | undefined;
  /** `bridge`, `host`, `none`, `container:NAME`, or a network's name. */
  readonly network?: string | undefined;
  readonly user?: string | undefined;
  readonly workdir?: string | undefined;
  /** `auto`, `2`, `a100`, `a100:2` */
  readonly gpu?: string | undefined;
  /** Rights to run a container engine inside, and a volume for its data. */
  readonly dind?: boolean | undefined;
  /** An init process before the image's; `true` when left out. */
  readonly init?: boolean | undefined;
  readonly pull?: "always" | "missing" | "never" | undefined;
  /** A user to make inside, who can log in over SSH. */
  readonly setupUser?: string | undefined;
};

/** The flag that a part of the request came from, for errors. */
export const POD_FLAGS = {
  image: "--image",
  name: "--name",
  command: "--command",
  entrypoint: "--entrypoint",
  env: "--env",
  volumes: "--volume",
  ports: "--port",
  memory: "--memory",
  memorySwap: "--memory-swap",
  shm: "--shm-size",
  cpus: "--cpus",
  cpuset: "--cpuset",
  network: "--network",
  user: "--user",
  workdir: "--workdir",
  gpu: "--gpu",
  dind: "--dind",
  init: "--no-init",
  pull: "--pull",
  setupUser: "--setup-user",
} as const satisfies { readonly [Part in keyof PodRequest]-?: string };
