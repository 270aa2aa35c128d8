import type { ContainerOptions, HealthCheck } from "./container-options.ts";

/** `ContainerOptions` while it is being read. */
export type OptionDraft = {
  -readonly [K in keyof ContainerOptions]: ContainerOptions[K] extends readonly (infer Item)[]
    ? Item[]
    : ContainerOptions[K] extends { readonly [name: string]: string }
      ? { [name: string]: string }
      : ContainerOptions[K];
} & { health: HealthCheck; healthOff: boolean; files: OptionFiles };

/** What options may take from the machine that Berth runs on. */
export type OptionFiles = {
  /** Reads `--env-file` and `--label-file`; absent: they are refused. */
  readonly readTextFile?: ((path: string) => string) | undefined;
  /** Gives `--env NAME` without a value its value. */
  readonly environment?: { readonly [name: string]: string | undefined } | undefined;
};

export function emptyDraft(files: OptionFiles): OptionDraft {
  return {
    config: {},
    host: {},
    env: [],
    labels: {},
    mounts: [],
    anonymousVolumes: [],
    ports: [],
    exposedPorts: [],
    networks: [],
    aliases: [],
    notes: [],
    health: {},
    healthOff: false,
    files,
  };
}
