import { z } from "zod";
import { ContainerTemplate } from "./container-template.ts";
import { ByteSize, Duration } from "./quantities.ts";

const GpuNeed = z.strictObject({
  count: z.int().positive().default(1).describe("How many GPUs, each leased to this job alone."),
  model: z.string().min(1).optional().describe("Part of the model's name, like a100."),
  memory: ByteSize.optional().describe("Least memory of each GPU, like 40g."),
  cuda: z
    .string()
    .regex(/^\d+(\.\d+)?$/, 'must be a version in quotes, like "12.4"')
    .optional()
    .describe('CUDA version that the driver must be able to run, in quotes: "12.4".'),
  mig: z
    .string()
    .regex(
      /^([1-9]c\.)?[1-9]g\.\d{1,3}gb([+-]me(\.all)?|\+gfx)?$/,
      "must be a MIG profile, like 1g.10gb",
    )
    .optional()
    .describe("MIG slice instead of a whole GPU, like 1g.10gb."),
});

/** What a job needs of its host, as labels say it too. */
export const Needs = z.strictObject({
  gpu: GpuNeed.optional().describe("GPUs. `gpu: {}` is any one."),
  cpus: z.number().positive().optional().describe("CPUs reserved for the job, and its limit."),
  memory: ByteSize.optional().describe("Memory reserved for the job, and its limit."),
  arch: z.enum(["x64", "arm64"]).optional().describe("Kind of processor."),
  rootless: z.boolean().default(false).describe("Only on an engine that runs without root."),
  dind: z.boolean().default(false).describe("The job gets a Docker daemon of its own."),
  host: z.string().optional().describe("Only on the host of this name."),
});
export type Needs = z.infer<typeof Needs>;

/** What `options:` of a workflow's `container:` and `services:` is refused unless a profile allows it. */
const Permission = z.enum([
  "privileged",
  "network",
  "pid",
  "ipc",
  "device",
  "cap-add",
  "security-opt",
]);

const MOST_DEBUG_MS = 24 * 3_600_000;

const Debug = z.strictObject({
  onFailure: Duration.refine(({ ms }) => ms <= MOST_DEBUG_MS, "must be at most 24h").describe(
    "How long a failed job's container is kept for somebody to look into, like 30m.",
  ),
  keys: z
    .union(
      [
        z.literal("github:actor"),
        z.array(z.string().regex(/^\S+ \S+[^\r\n]*$/, "must be a public key")),
      ],
      {
        error: "must be github:actor, or a list of public keys",
      },
    )
    .default("github:actor")
    .describe(
      "Who may log in: the SSH keys that the job's actor has on GitHub, or these; with none, only who has `berth jobs ssh`.",
    ),
});

const Dind = z.strictObject({
  image: z.string().min(1).optional().describe("Image of the daemon. Default: one of Berth's own."),
  mode: z
    .enum(["rootless", "capabilities", "privileged"])
    .default("rootless")
    .describe(
      "What the daemon's container may do on the host; docs/guide/dind.md says what each gives away.",
    ),
});

/** A named need with container settings; jobs ask for it by its name as a label. */
export const Profile = z.strictObject({
  needs: Needs.prefault({}).describe("What the job needs of its host."),
  container: ContainerTemplate.optional(),
  allow: z
    .array(Permission)
    .default([])
    .describe(
      "Options that workflows may set on `container:` and `services:`; `network` means host and container:NAME.",
    ),
  runner: z
    .enum(["native"], { error: "must be native; other runners come with a later version" })
    .default("native")
    .describe("Who runs the steps: native is Berth itself."),
  report: z
    .enum(["checks"], { error: "must be checks; other ways come with a later version" })
    .default("checks")
    .describe("How results go back: checks is a check run for each job."),
  retries: z
    .int()
    .min(0)
    .max(10)
    .default(0)
    .describe(
      "How often a job is run again that died of its host: memory, disk, engine. Never after a failed step.",
    ),
  debug: Debug.optional().describe("Keeps the container of a job that failed."),
  dind: Dind.optional().describe("How a job's own Docker daemon runs."),
  maxMinutes: z
    .int()
    .positive()
    .default(360)
    .describe("Longest a job may run, whatever its `timeout-minutes` says."),
  priority: z.int().default(0).describe("Jobs of a higher priority are placed first."),
});
export type Profile = z.infer<typeof Profile>;
