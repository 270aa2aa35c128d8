import { homedir } from "node:os";
import { Command } from "commander";
import { findConfig } from "../config/find-config.ts";
import { profileWishes } from "../config/profile-wishes.ts";
import { configInvalid, readConfig } from "../config/read-config.ts";
import type { ServiceConfig } from "../config/resolve-files.ts";
import { probeMachine } from "../hosts/probe-machine.ts";
import type { Capability } from "../profiles/capability.ts";
import { explainLabels } from "../profiles/explain-labels.ts";
import { fits } from "../profiles/fits.ts";
import { isAddressed, matchLabels } from "../profiles/match-labels.ts";
import type { Profiles } from "../profiles/need.ts";
import { type OfferedLabel, offeredLabels } from "../profiles/offered-labels.ts";
import { findService } from "./ask-service.ts";
import { hostsOfConfig, type KnownHost } from "./hosts-of-config.ts";
import { thisMachine } from "./this-machine.ts";
import { alignedTable } from "./view/aligned-table.ts";
import { knownHostsTable } from "./view/known-hosts-table.ts";

type Flags = { readonly config?: string; readonly docker?: string; readonly json?: true };

/** What a configuration makes of labels; without one there are no profiles, and no hosts but this machine. */
type Claim = {
  readonly profiles: Profiles;
  readonly claim: "named" | "labels";
  readonly configured?: ServiceConfig["hosts"];
};

/** Exit codes of the contract: what was asked makes no sense; no host can do it. */
const WRONG = 2;
const NO_HOST = 3;

/** `berth labels`: what jobs can ask for on the configuration's hosts, else here; with labels what they mean and which host fits. */
export function labelsCommand(signal: AbortSignal): Command {
  return new Command("labels")
    .description("Say what runs-on can ask for here, or what labels mean and which host fits.")
    .argument("[labels...]", "labels as in runs-on")
    .option(
      "-c, --config <file>",
      "the configuration whose profiles count; else berth.yml here, the user's, the machine's, if any",
    )
    .option("--json", "print one JSON object")
    .option("--docker <endpoint>", "the engine to use, as in DOCKER_HOST")
    .addHelpText(
      "after",
      "\nExit code with labels: 0 a host fits, 2 a label means nothing or they contradict each other, 3 none fits.\n\nExample:\n  berth labels gpu=a100:2 mem=64g",
    )
    .action(async (labels: string[], flags: Flags) => {
      const claim = readClaim(flags.config);
      const hosts = await findHosts(claim, flags, signal);
      if (labels.length > 0) {
        const answer = answerFor(labels, { hosts, ...claim });
        process.stdout.write(flags.json ? asJson(answer) : asText(answer));
        if (answer.exitCode !== 0) process.exitCode = answer.exitCode;
        return;
      }
      const offers = hosts.flatMap((host) =>
        host.capability === undefined
          ? []
          : [{ ...host, labels: offersOf(host.capability, claim) }],
      );
      if (flags.json) {
        const [first] = offers;
        process.stdout.write(asJson({ host: first?.name, labels: first?.labels, hosts: offers }));
        return;
      }
      const overview = claim.configured === undefined ? "" : `\n${knownHostsTable(hosts)}`;
      process.stdout.write(`${offerTable(offers)}${overview}`);
    });
}

async function findHosts(
  { configured }: Claim,
  flags: Flags,
  signal: AbortSignal,
): Promise<KnownHost[]> {
  if (configured === undefined || flags.docker !== undefined) {
    const facts = await probeMachine({ connect: thisMachine(flags), signal });
    return [{ name: facts.name, slots: 1, capability: facts }];
  }
  return await hostsOfConfig(configured, { service: findService(flags.config, signal), signal });
}

function offersOf(capability: Capability, claim: Claim): OfferedLabel[] {
  return [...offeredLabels(capability), ...offeredProfiles(claim, capability)];
}

/** A column for each host. */
function offerTable(
  hosts: readonly { readonly name: string; readonly labels: readonly OfferedLabel[] }[],
): string {
  const [first] = hosts;
  if (first === undefined) return "Nothing can be said of any host now.\n";
  return alignedTable([
    ["LABEL", "MEANING", ...hosts.map(({ name }) => `ON ${name}`)],
    ...first.labels.map(({ label, meaning }, index) => [
      ...[label, meaning],
      ...hosts.map(({ labels }) => labels[index]?.here ?? ""),
    ]),
  ]);
}

/** Without a configuration there are no profiles; one that is named must be there. */
function readClaim(named: string | undefined): Claim {
  const { env } = process;
  const cwd = process.cwd();
  let file: string;
  try {
    file = findConfig(named, { cwd, env, home: homedir() });
  } catch (error) {
    if (named !== undefined) throw error;
    return { profiles: new Map(), claim: "named" };
  }
  const read = readConfig(file, { env, cwd });
  if ("problems" in read) throw configInvalid(read.problems);
  const { profiles, claim, hosts } = read.config;
  return { profiles: profileWishes(profiles), claim, configured: hosts };
}

function offeredProfiles({ profiles }: Claim, host: Capability): OfferedLabel[] {
  return [...profiles.keys()].map((label) => {
    const match = matchLabels([label], profiles);
    const reasons = match?.kind === "need" ? fits(match.need, host) : [match?.why ?? ""];
    const available = reasons.length === 0;
    const meaning = "a profile of the configuration";
    return { label, meaning, available, here: available ? "yes" : reasons.join(" ") };
  });
}

type Answer = ReturnType<typeof answerFor>;

function answerFor(
  labels: readonly string[],
  { hosts, profiles, claim }: Claim & { readonly hosts: readonly KnownHost[] },
) {
  const explained = explainLabels(labels, profiles);
  const match = matchLabels(labels, profiles);
  const addressed = isAddressed(labels, { profiles, claim });
  const answer = { host: hosts[0]?.name, labels: explained, addressed };
  if (match?.kind !== "need") {
    const unknown = explained.filter(({ known }) => !known).map(({ label }) => label);
    const why = match?.why ?? `Berth leaves such a job alone, because of ${unknown.join(", ")}.`;
    return { ...answer, need: null, fits: false, fitting: [], reasons: [why], exitCode: WRONG };
  }
  const { need } = match;
  const looks = hosts.map(({ name, capability, closed }) => ({
    name,
    reasons: capability === undefined ? [`${name}: ${closed}`] : fits(need, capability),
  }));
  const fitting = looks.filter(({ reasons }) => reasons.length === 0).map(({ name }) => name);
  const isFit = fitting.length > 0;
  return {
    ...{ ...answer, host: fitting[0] ?? answer.host, need, fits: isFit, fitting },
    reasons: isFit ? [] : [...new Set(looks.flatMap(({ reasons }) => reasons))],
    exitCode: isFit ? 0 : NO_HOST,
  };
}

function asText({ labels, reasons, addressed, need, fitting }: Answer): string {
  const rows = labels.map(({ label, known, meaning }) => [
    `${known ? "✓" : "✗"} ${label}`,
    meaning,
  ]);
  const verdict =
    reasons.length === 0
      ? fitting.map((host) => `✓ ${host} fits.`)
      : reasons.map((reason) => `✗ ${reason}`);
  const hint =
    addressed || need === null
      ? []
      : [
          "The service takes such a job only with the label berth, or a profile's name, beside these.",
        ];
  return `${alignedTable(rows)}\n${[...verdict, ...hint].join("\n")}\n`;
}

function asJson({ exitCode, ...value }: { readonly exitCode?: number; [field: string]: unknown }) {
  return `${JSON.stringify(value, null, 2)}\n`;
}
