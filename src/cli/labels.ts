import { homedir } from "node:os";
import { Command } from "commander";
import { findConfig } from "../config/find-config.ts";
import { profileWishes } from "../config/profile-wishes.ts";
import { configInvalid, readConfig } from "../config/read-config.ts";
import { probeMachine } from "../hosts/probe-machine.ts";
import type { Capability } from "../profiles/capability.ts";
import { explainLabels } from "../profiles/explain-labels.ts";
import { fits } from "../profiles/fits.ts";
import { isAddressed, matchLabels } from "../profiles/match-labels.ts";
import type { Profiles } from "../profiles/need.ts";
import { type OfferedLabel, offeredLabels } from "../profiles/offered-labels.ts";
import { thisMachine } from "./this-machine.ts";
import { alignedTable } from "./view/aligned-table.ts";

type Flags = { readonly config?: string; readonly docker?: string; readonly json?: true };

/** What a configuration makes of labels. */
type Claim = { readonly profiles: Profiles; readonly claim: "named" | "labels" };

/** Exit codes of the contract: what was asked makes no sense; no host can do it. */
const WRONG = 2;
const NO_HOST = 3;

/** `berth labels`: what jobs can ask for here; with labels what they mean and whether this machine fits. */
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
      "\nExit code with labels: 0 this machine fits, 2 a label means nothing or they contradict each other, 3 it does not fit.\n\nExample:\n  berth labels gpu=a100:2 mem=64g",
    )
    .action(async (labels: string[], flags: Flags) => {
      const claim = readClaim(flags.config);
      const host = await probeMachine({ connect: thisMachine(flags), signal });
      if (labels.length > 0) {
        const answer = answerFor(labels, { host, ...claim });
        process.stdout.write(flags.json ? asJson({ host: host.name, ...answer }) : asText(answer));
        if (answer.exitCode !== 0) process.exitCode = answer.exitCode;
        return;
      }
      const offered = [...offeredLabels(host), ...offeredProfiles(claim, host)];
      const rows = offered.map(({ label, meaning, here }) => [label, meaning, here]);
      const table = alignedTable([["LABEL", "MEANING", `ON ${host.name}`], ...rows]);
      process.stdout.write(flags.json ? asJson({ host: host.name, labels: offered }) : table);
    });
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
  const { profiles, claim } = read.config;
  return { profiles: profileWishes(profiles), claim };
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
  { host, profiles, claim }: Claim & { host: Capability },
) {
  const explained = explainLabels(labels, profiles);
  const match = matchLabels(labels, profiles);
  const addressed = isAddressed(labels, { profiles, claim });
  if (match?.kind !== "need") {
    const unknown = explained.filter(({ known }) => !known).map(({ label }) => label);
    const why = match?.why ?? `Berth leaves such a job alone, because of ${unknown.join(", ")}.`;
    return {
      labels: explained,
      need: null,
      fits: false,
      reasons: [why],
      addressed,
      exitCode: WRONG,
    };
  }
  const reasons = fits(match.need, host);
  const exitCode = reasons.length === 0 ? 0 : NO_HOST;
  return {
    labels: explained,
    need: match.need,
    fits: exitCode === 0,
    reasons,
    addressed,
    host: host.name,
    exitCode,
  };
}

function asText({ labels, reasons, addressed, need, host }: Answer & { host?: string }): string {
  const rows = labels.map(({ label, known, meaning }) => [
    `${known ? "✓" : "✗"} ${label}`,
    meaning,
  ]);
  const verdict =
    reasons.length === 0 ? [`✓ ${host} fits.`] : reasons.map((reason) => `✗ ${reason}`);
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
