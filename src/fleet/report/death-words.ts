import type { JobDeath } from "../../../runner/job/job-death.ts";

/** What a check run says of a job that neither its steps nor a person ended. */
export const DEATH_WORDS: {
  readonly [death in JobDeath]: {
    /** The title's beginning. */
    readonly title: string;
    /** Whether this says something of the job's host, and nothing of its steps. */
    readonly isHosts: boolean;
    readonly remedy: string;
  };
} = {
  "out-of-memory": {
    title: "Out of memory",
    // Of its own limit, mostly.
    isHosts: false,
    remedy:
      "Ask for more with a label such as mem=16g, raise the memory of its profile, or let it use less.",
  },
  "disk-full": {
    title: "Disk full",
    isHosts: true,
    remedy: "Free space where the host's engine keeps its data, then run the job again.",
  },
  "host-lost": {
    title: "Host lost",
    isHosts: true,
    remedy: "See whether the host is up and berth host probe reaches it, then run the job again.",
  },
  "engine-lost": {
    title: "Engine lost",
    isHosts: true,
    remedy: "Look at the host and its container engine, then run the job again.",
  },
  "container-lost": {
    title: "Container lost",
    isHosts: true,
    remedy: "Find out who or what removed the job's container on the host, then run the job again.",
  },
  "gpu-mismatch": {
    title: "Wrong GPUs",
    isHosts: true,
    remedy: "Look at the host's NVIDIA driver and container toolkit: berth host probe tells more.",
  },
  "gpu-lost": {
    title: "GPU lost",
    isHosts: true,
    remedy: "Look at the GPU with berth host probe, and at the kernel's log of its machine.",
  },
  deadline: {
    title: "Out of time",
    isHosts: false,
    remedy: "Raise timeout-minutes of the job or maxMinutes of its profile, or let it take less.",
  },
};
