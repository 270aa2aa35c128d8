import { z } from "zod";
import { Host, HostDefaults } from "./host.ts";
import { Network } from "./network.ts";
import { Policy } from "./policy.ts";
import { Profile } from "./profile.ts";
import { ByteSize, Duration } from "./quantities.ts";

const SecretFile = z.string().min(1);

const HttpUrl = z
  .url({ protocol: /^https?$/, error: "must be a URL, like https://github.example.com" })
  .transform((url) => url.replace(/\/+$/, ""));

const WebhookSecret = z.string().min(1, "must not be empty");

const GitHub = z.strictObject({
  url: HttpUrl.prefault("https://github.com").describe("The GitHub that people open in a browser."),
  apiUrl: HttpUrl.optional().describe("Its API. Derived from `url` when left out."),
  app: z
    .strictObject({
      id: z.int().positive().describe("App ID, the number on the App's page."),
      privateKey: z.string().min(1).optional().describe('The private key itself, as "${NAME}".'),
      privateKeyFile: SecretFile.optional().describe(
        "The .pem file that GitHub gave you. This or `privateKey`.",
      ),
    })
    .describe("The GitHub App that Berth speaks as."),
  webhookSecret: z
    .union([WebhookSecret, z.array(WebhookSecret).min(1).max(2)], {
      error: "must be one secret, or a list of two while you change it",
    })
    .optional()
    .describe("Secret of the App's webhook, or a list of two: while you change it both are good."),
  webhookSecretFile: z
    .union([SecretFile, z.array(SecretFile).min(1).max(2)], {
      error: "must be one file, or a list of two while you change the secret",
    })
    .optional()
    .describe("File or files with it instead."),
});

const Listen = z
  .string()
  .regex(/^([^\s:[\]]+|\[[0-9a-fA-F:.]+\]):\d{1,5}$/, "must be HOST:PORT, like 127.0.0.1:8010")
  .transform((text) => {
    const at = text.lastIndexOf(":");
    return { host: text.slice(0, at).replace(/^\[|\]$/g, ""), port: Number(text.slice(at + 1)) };
  })
  .refine(({ port }) => port <= 65535, "must have a port of at most 65535");

const ProfileName = z
  .string()
  .regex(
    /^[a-zA-Z0-9][a-zA-Z0-9._-]*$/,
    "A profile's name is a label: letters, digits, -, _ and .",
  );

const ConcurrentJobs = z.int().positive().optional();

/** `berth.yml`, as it is after environment variables have been filled in. Its problems are told by `readConfig`. */
export const Config = z.strictObject({
  github: GitHub.describe("Which GitHub, and who Berth is there."),
  listen: Listen.prefault("127.0.0.1:8010").describe(
    "HOST:PORT for webhooks; port 0 picks a free one.",
  ),
  intake: z
    .enum(["webhook", "poll"])
    .default("webhook")
    .describe(
      "How events arrive: GitHub sends them here, or Berth asks for them and needs no public address.",
    ),
  claim: z
    .enum(["named", "labels"])
    .default("named")
    .describe(
      "Which jobs are ours: those that also name berth or a profile, or all whose labels Berth understands.",
    ),
  hosts: z
    .array(Host)
    .min(1)
    .default([{ name: "here" }])
    .describe("Your machines. Default: this one, one job at a time."),
  hostDefaults: HostDefaults.prefault({}).describe("What hosts have that do not say otherwise."),
  ...Network.shape,
  profiles: z
    .record(ProfileName, Profile)
    .default({})
    .describe("Named needs with container settings; the name is a label for `runs-on`."),
  policy: Policy.prefault({}).describe("Which jobs may run, and with what."),
  limits: z
    .strictObject({
      perRepository: ConcurrentJobs.describe("Most jobs of one repository at once."),
      perOrganisation: ConcurrentJobs.describe("Most jobs of one organisation or user at once."),
    })
    .prefault({})
    .describe("Nobody takes everything."),
  githubJob: z
    .enum(["cancel", "leave"])
    .default("cancel")
    .describe("What becomes of GitHub's own queued job when ours has ended."),
  mixed: z
    .enum(["leave", "run"])
    .default("leave")
    .describe("Runs of which Berth can only run a part: leave them alone, or run that part."),
  log: z
    .strictObject({
      level: z
        .enum(["error", "warn", "info", "debug"])
        .default("info")
        .describe("debug shows every command to an engine, without secrets."),
      format: z
        .enum(["text", "json"])
        .default("text")
        .describe("For people, or one JSON object a line."),
    })
    .prefault({})
    .describe("What the service says of itself, on stderr."),
  secretKeyFile: SecretFile.optional().describe(
    "File with the key that encrypts the secrets of `berth secret`. Readable by Berth's user only.",
  ),
  store: z
    .strictObject({
      path: z
        .string()
        .min(1)
        .optional()
        .describe("Folder for the database and the logs. Default: Berth's state folder."),
      maxLogSize: ByteSize.prefault("256m").describe("Most that is kept of one job's log."),
      keepLogs: Duration.prefault("30d").describe("How long logs are kept."),
    })
    .prefault({})
    .describe("What is remembered, and for how long."),
});
export type Config = z.infer<typeof Config>;
