import { quote } from "../../../runner/quote.ts";
import type { SetupFacts } from "./setup-facts.ts";
import type { PlanStep } from "./setup-plan.ts";
import { type Supervised, supervisorScript } from "./supervisor.ts";
import { writeFileCommand } from "./write-file.ts";

type Options = {
  readonly part: "docker" | "rootless";
  readonly supervised: Supervised;
  readonly sudo: "" | "sudo ";
};

/** Where no init system keeps an engine running: a script that does, its start at boot, its start now. */
export function superviseSteps(facts: Pick<SetupFacts, "programs">, options: Options): PlanStep[] {
  const { part, supervised, sudo } = options;
  const { folder, socket } = supervised;
  const script = `${folder}/supervise`;
  const write = writeFileCommand(script, { text: supervisorScript(supervised), sudo });
  const common = { part, sudo: sudo !== "" };
  return [
    {
      ...common,
      name: "Write what keeps the engine running",
      why: "This machine has no systemd that would start it again when it ends.",
      changes: `${folder} is made`,
      commands: [
        `${sudo}mkdir -p ${quote(`${folder}/bin`)}`,
        write.command,
        `${sudo}chmod 755 ${quote(script)}`,
      ],
      check: `[ -x ${quote(script)} ] && ${write.check}`,
      verified: `${script} is there and says just that`,
    },
    ...(facts.programs.crontab === undefined ? [] : [startAtBoot(script, common, sudo)]),
    {
      ...common,
      name: "Start the engine",
      why: "Containers run in it.",
      changes: `${script} and the engine run, also after the logout`,
      commands: [
        `${sudo}sh -c ${quote(`setsid ${quote(script)} </dev/null >/dev/null 2>&1 &`)}`,
        waitFor(socket, { sudo, orElse: `${sudo}tail -n 20 ${quote(`${folder}/log`)}` }),
      ],
      check: `${sudo === "" ? "" : "as_root "}docker -H unix://${socket} version >/dev/null 2>&1`,
      verified: `"docker -H unix://${socket} version" answers`,
    },
  ];
}

/** Waits up to a minute for an engine; when it stays silent, what `orElse` prints is the reason given. */
export function waitFor(
  socket: string,
  { sudo, orElse }: { readonly sudo: "" | "sudo "; readonly orElse: string },
): string {
  const loop = `until docker -H unix://${socket} version >/dev/null 2>&1; do sleep 0.5; done`;
  return `${sudo}timeout 60 sh -c ${quote(loop)} || { ${orElse} >&2; false; }`;
}

function startAtBoot(
  script: string,
  common: { part: "docker" | "rootless"; sudo: boolean },
  sudo: "" | "sudo ",
): PlanStep {
  return {
    ...common,
    name: "Have cron start it at boot",
    why: "Nothing else of this machine would.",
    changes: "one line is added to the crontab",
    commands: [
      `{ ${sudo}crontab -l 2>/dev/null; echo ${quote(`@reboot ${script}`)}; } | ${sudo}crontab -`,
    ],
    check: `${sudo}crontab -l 2>/dev/null | grep -qF ${quote(`@reboot ${script}`)}`,
    verified: '"crontab -l" has the line',
  };
}

/** What a person has to know where not even cron is there. */
export function noBootNote(facts: Pick<SetupFacts, "programs">, folder: string): string[] {
  if (facts.programs.crontab !== undefined) return [];
  return [
    `Nothing here starts a program at boot (no systemd, no cron): after a boot run ${folder}/supervise, or this command again.`,
  ];
}
