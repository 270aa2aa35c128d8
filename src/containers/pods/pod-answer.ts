import { z } from "zod";

/** A port of a pod and where it is reached. */
export const PodPort = z.object({
  containerPort: z.int(),
  protocol: z.string(),
  hostIp: z.string().describe("Address it is bound to; 0.0.0.0 is all."),
  hostPort: z.int(),
});
export type PodPort = z.infer<typeof PodPort>;

/** One thing that setting the host up tried, and what came of it. */
export const SetupAttempt = z.object({
  what: z.string(),
  result: z.enum(["done", "planned", "failed", "skipped"]),
  detail: z.string().nullable(),
});
export type SetupAttempt = z.infer<typeof SetupAttempt>;

/** How a person gets into a container. `null` is what there is not. */
export const PodLogin = z.object({
  user: z.string().nullable(),
  userReady: z.boolean().describe("Its login over SSH was tried and works."),
  userError: z.string().nullable().describe("Why it is not ready."),
  hostKey: z.string().nullable().describe("Of the SSH server inside, as known_hosts has keys."),
  sshCommand: z.string().nullable(),
  moshCommand: z.string().nullable(),
});
export type PodLogin = z.infer<typeof PodLogin>;

/** What `berth container create --json` prints, and what `createContainer` gives. */
export const PodAnswer = z.object({
  id: z.string(),
  name: z.string(),
  image: z.string(),
  state: z.string().describe("As the engine has it: running, exited."),
  host: z.string(),
  engine: z.string().describe("Its endpoint."),
  rootless: z.boolean(),
  fallbackReason: z.string().nullable().describe("Why it is no rootless engine."),
  ports: z.array(PodPort),
  gpuEnabled: z.boolean(),
  gpuCount: z.int(),
  gpuModel: z.string().nullable(),
  gpuUuids: z.array(z.string()),
  ...PodLogin.shape,
  volumes: z.array(z.string()).describe("Volumes that were made for it."),
  warnings: z.array(z.string()),
  setup: z.array(SetupAttempt),
});
export type PodAnswer = z.infer<typeof PodAnswer>;
