import { z } from "zod";
import { ByteSize } from "./quantities.ts";

const SETUP_MODES = ["never", "plan", "auto"] as const;
const SETUP_PARTS = ["docker", "rootless", "toolkit", "driver"] as const;

const Setup = z
  .union([
    z.enum(SETUP_MODES),
    z.strictObject({
      mode: z.enum(SETUP_MODES).default("plan").describe("never, plan or auto."),
      allow: z
        .array(z.enum(SETUP_PARTS))
        .default([...SETUP_PARTS])
        .describe("What may be installed; toolkit and driver are NVIDIA's."),
    }),
  ])
  .transform((setup) =>
    typeof setup === "string" ? { mode: setup, allow: [...SETUP_PARTS] } : setup,
  );

const Address = String.raw`([^@\s:,]+@)?([^@\s:,[\]]+|\[[0-9a-fA-F:.]+\])(:\d{1,5})?`;

/** What hosts may have in common. */
const shared = {
  identityFile: z
    .string()
    .min(1)
    .optional()
    .describe("Private key for `ssh`. Default: as ssh itself, keys of an agent included."),
  certificateFile: z
    .string()
    .min(1)
    .optional()
    .describe("Certificate for that key. Default: the key's own name with -cert.pub."),
  passphraseFile: z
    .string()
    .min(1)
    .optional()
    .describe("File with the passphrase of an encrypted key."),
  passwordFile: z
    .string()
    .min(1)
    .optional()
    .describe("File with the password of the login, where it takes no key."),
  jump: z
    .string()
    .regex(
      new RegExp(`^${Address}(,${Address})*$`),
      "must be user@address:port, several with commas",
    )
    .optional()
    .describe("Machines to go through, as ProxyJump of ssh."),
  engine: z
    .enum(["docker", "rootless", "podman"])
    .optional()
    .describe("Which engine of the machine jobs get by default. Default: the first that answers."),
  sudo: z
    .boolean()
    .optional()
    .describe(
      "Whether `sudo -n` may be used to reach an engine that the login may not open. Default: true.",
    ),
  slots: z.int().positive().optional().describe("Jobs a host runs at once. Default: 1."),
  setup: Setup.optional().describe(
    "What is done about a machine that lacks something: nothing, say how (plan), or install it (auto). Default: plan.",
  ),
  images: z
    .array(z.string().min(1))
    .optional()
    .describe("Images to have there before a job asks for them."),
  keepFreeDisk: ByteSize.optional().describe(
    "Disk of the engine to keep free: below it Berth removes images and caches of its own that were not used for longest. Default: 5g.",
  ),
};

/** `hostDefaults` of `berth.yml`. */
export const HostDefaults = z.strictObject(shared);
export type HostDefaults = z.infer<typeof HostDefaults>;

/** A machine with a container engine. */
export const Host = z.strictObject({
  name: z
    .string()
    .regex(/^[a-zA-Z0-9]([a-zA-Z0-9._-]*[a-zA-Z0-9])?$/, "must be letters, digits, -, _ and .")
    .describe("Its name, also in the label host=NAME."),
  docker: z
    .string()
    .regex(
      /^((unix|tcp|https?):\/\/\S+|\/\S*)$/,
      "must be an endpoint, like unix:///var/run/docker.sock",
    )
    .optional()
    .describe(
      "Engine endpoint, as in DOCKER_HOST; with `ssh` a socket of that machine. Without this and `ssh`: this machine's engine, found as by `berth run`.",
    ),
  ssh: z
    .string()
    .regex(new RegExp(`^${Address}$`), "must be user@address:port")
    .optional()
    .describe("user@address:port of a machine over SSH, or a Host of ~/.ssh/config."),
  hostKey: z
    .string()
    .regex(/^SHA256:[A-Za-z0-9+/]{43}=?$/, "must be a fingerprint, SHA256: and 43 characters")
    .optional()
    .describe("Fingerprint of the machine's key. Default: as in known_hosts."),
  tls: z
    .strictObject({
      caFile: z.string().min(1).optional().describe("Who signed the engine's certificate."),
      certFile: z.string().min(1).describe("Certificate that Berth shows the engine."),
      keyFile: z.string().min(1).describe("Its private key."),
    })
    .optional()
    .describe("For an engine at tcp:// or https://."),
  ...shared,
});
export type Host = z.infer<typeof Host>;
