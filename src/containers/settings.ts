import { z } from "zod";

const Size = z
  .union([z.string().regex(/^\d+(\.\d+)? ?([kmgtp](i?b)?|b)?$/i), z.int().nonnegative()])
  .describe("Bytes, or a size like 512m, 16g, 1.5GiB.");
const SizeOrUnlimited = z
  .union([Size, z.literal(-1), z.literal("-1")])
  .describe("A size, or -1 for no limit.");
const AbsolutePath = z.string().regex(/^\//, "must be an absolute path");

/** What a container may use of its host. */
export const ResourceSettings = z.strictObject({
  memory: Size.optional(),
  memorySwap: SizeOrUnlimited.optional().describe("Memory and swap together."),
  memoryReservation: Size.optional(),
  cpus: z.number().positive().optional().describe("May be a fraction."),
  cpuShares: z.int().positive().optional(),
  cpuset: z
    .string()
    .regex(/^\d+(-\d+)?(,\d+(-\d+)?)*$/)
    .optional()
    .describe("CPUs to run on, like 0-3,7."),
  pidsLimit: z.int().optional().describe("Most processes at once; -1 for no limit."),
  shm: Size.optional().describe("Size of /dev/shm."),
  gpus: z
    .union([z.literal("all"), z.int().positive(), z.array(z.string()).min(1)])
    .optional()
    .describe("How many, all, or which (by UUID)."),
  ulimits: z.record(z.string(), z.union([z.int(), z.string().regex(/^-?\d+:-?\d+$/)])).optional(),
});
export type ResourceSettings = z.infer<typeof ResourceSettings>;

/** One mount. A source with a leading slash is a path of the host, which must exist; without a source the volume is anonymous. */
export const VolumeSettings = z.strictObject({
  source: z
    .string()
    .regex(/^(\/|[a-zA-Z0-9][\w.-]+$)/, "must be an absolute path or the name of a volume")
    .optional(),
  target: AbsolutePath,
  mode: z.enum(["ro", "rw"]).default("rw"),
});
export type VolumeSettings = z.infer<typeof VolumeSettings>;

/** How a container meets the network. */
export const NetworkSettings = z.strictObject({
  mode: z
    .string()
    .min(1)
    .optional()
    .describe(
      "bridge, host, none, container:NAME or a network's name; left out: a network of its own.",
    ),
  aliases: z.array(z.string().min(1)).default([]),
  ports: z
    .record(z.string(), z.union([z.string(), z.int()]))
    .default({})
    .describe("Container port (8080 or 53/udp) to host port; 0 is any free one."),
  dns: z.array(z.string()).default([]),
  extraHosts: z.record(z.string(), z.string()).default({}).describe("Name to address."),
});
export type NetworkSettings = z.infer<typeof NetworkSettings>;

/** A container for jobs. */
export const ContainerSettings = z.strictObject({
  image: z.string().min(1),
  credentials: z
    .strictObject({ username: z.string().min(1), password: z.string().min(1) })
    .optional(),
  name: z.string().optional(),
  user: z.string().optional().describe("Name or number, perhaps with :group."),
  workdir: AbsolutePath.optional(),
  environment: z.record(z.string(), z.string()).default({}),
  volumes: z.array(VolumeSettings).default([]),
  network: NetworkSettings.optional(),
  resources: ResourceSettings.optional(),
  privileged: z.boolean().default(false),
  options: z.string().default("").describe("Further options as `docker create` takes them."),
});
export type ContainerSettings = z.infer<typeof ContainerSettings>;
