import { z } from "zod";

const Size = z
  .union([
    z
      .string()
      .regex(
        /^\d+(\.\d+)? ?([kmgtpKMGTP]([iI]?[bB])?|[bB])?$/,
        "must be a size, like 512m, 16g or 1.5GiB",
      ),
    z.int().nonnegative(),
  ])
  .describe("Bytes, or a size like 512m, 16g, 1.5GiB.");
const SizeOrUnlimited = z
  .union([Size, z.literal(-1), z.literal("-1")])
  .describe("A size, or -1 for no limit.");
const AbsolutePath = z.string().regex(/^\//, "must be an absolute path");

/** What a container may use of its host. */
export const ResourceSettings = z.strictObject({
  memory: Size.optional().describe("Memory that its processes may use together, like 16g."),
  memorySwap: SizeOrUnlimited.optional().describe("Memory and swap together."),
  memoryReservation: Size.optional().describe(
    "Memory it is pressed back to when the host runs short.",
  ),
  cpus: z.number().positive().optional().describe("CPUs; may be a fraction."),
  cpuShares: z
    .int()
    .positive()
    .optional()
    .describe("Weight against others when CPUs are scarce; 1024 is the usual."),
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
  ulimits: z
    .record(z.string(), z.union([z.int(), z.string().regex(/^-?\d+:-?\d+$/)]))
    .optional()
    .describe("Limits of a process by name, like nofile: one number, or soft:hard."),
});
export type ResourceSettings = z.infer<typeof ResourceSettings>;

/** One mount. A source with a leading slash is a path of the host, which must exist; without a source the volume is anonymous. */
export const VolumeSettings = z.strictObject({
  source: z
    .string()
    .regex(/^(\/|[a-zA-Z0-9][\w.-]+$)/, "must be an absolute path or the name of a volume")
    .optional()
    .describe("Path on the host, or a volume's name; left out: a volume of its own."),
  target: AbsolutePath.describe("Path in the container."),
  mode: z.enum(["ro", "rw"]).default("rw").describe("Read-only, or writable."),
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
  aliases: z.array(z.string().min(1)).default([]).describe("Further names in its network."),
  ports: z
    .record(z.string(), z.union([z.string(), z.int()]))
    .default({})
    .describe("Container port (8080 or 53/udp) to host port; 0 is any free one."),
  dns: z.array(z.string()).default([]).describe("Addresses of name servers."),
  extraHosts: z.record(z.string(), z.string()).default({}).describe("Name to address."),
});
export type NetworkSettings = z.infer<typeof NetworkSettings>;

/** A container for jobs. */
export const ContainerSettings = z.strictObject({
  image: z.string().min(1).describe("Image, as in `docker pull`."),
  credentials: z
    .strictObject({
      username: z.string().min(1).describe("User at the registry."),
      password: z.string().min(1).describe("Password or token."),
    })
    .optional()
    .describe("Login at the image's registry."),
  name: z.string().optional().describe("Name of the container."),
  user: z.string().optional().describe("Name or number, perhaps with :group."),
  workdir: AbsolutePath.optional().describe("Folder that processes start in."),
  environment: z.record(z.string(), z.string()).default({}).describe("Variables by name."),
  volumes: z.array(VolumeSettings).default([]).describe("What is mounted where."),
  network: NetworkSettings.optional().describe("How it meets the network."),
  resources: ResourceSettings.optional().describe("What it may use of its host."),
  privileged: z.boolean().default(false).describe("Lifts nearly all isolation from the host."),
  options: z.string().default("").describe("Further options as `docker create` takes them."),
});
export type ContainerSettings = z.infer<typeof ContainerSettings>;
