import { quote } from "../../../runner/quote.ts";
import type { SetupFacts } from "./setup-facts.ts";
import type { PlanStep } from "./setup-plan.ts";
import { waitFor } from "./supervise-steps.ts";
import { writeFileCommand } from "./write-file.ts";

const DELEGATE_FILE = "/etc/systemd/system/user@.service.d/delegate.conf";

/** A rootless engine as a service of the user's, where systemd is. */
export function rootlessUnitSteps(
  facts: SetupFacts,
  environment: { readonly [name: string]: string },
): PlanStep[] {
  return [...delegate(facts), ...linger(facts), writeUnit(facts, environment), start(facts)];
}

/** Without it limits of CPU are not enforced. */
function delegate({ cgroupVersion, delegates }: SetupFacts): PlanStep[] {
  if (cgroupVersion !== "2" || delegates) return [];
  const text = "[Service]\nDelegate=cpu cpuset io memory pids\n";
  const write = writeFileCommand(DELEGATE_FILE, { text, sudo: "sudo " });
  return [
    {
      part: "rootless",
      name: "Hand control groups to users",
      why: "Limits of CPU and memory are enforced in a rootless engine only then.",
      changes: `${DELEGATE_FILE} is made; it holds for sessions that begin later`,
      sudo: true,
      commands: [
        "sudo mkdir -p /etc/systemd/system/user@.service.d",
        write.command,
        "sudo systemctl daemon-reload",
      ],
      check: write.check,
      verified: `${DELEGATE_FILE} is there and says just that`,
    },
  ];
}

function linger({ user, uid, lingers }: SetupFacts): PlanStep[] {
  if (lingers) return [];
  return [
    {
      part: "rootless",
      name: `Let services of ${user} outlive the logout`,
      why: "systemd ends them with the last session otherwise, and does not start them at boot.",
      changes: `${user} lingers`,
      sudo: true,
      commands: [
        `sudo loginctl enable-linger ${quote(user)}`,
        `timeout 20 sh -c 'until [ -S /run/user/${uid}/bus ]; do sleep 0.5; done'`,
      ],
      check: `[ -e /var/lib/systemd/linger/${quote(user)} ] && [ -S /run/user/${uid}/bus ]`,
      verified: `/var/lib/systemd/linger/${user} is there, and the user's bus`,
    },
  ];
}

/** One that is there, of whoever, is left as it is. */
function writeUnit(facts: SetupFacts, environment: { readonly [name: string]: string }): PlanStep {
  const { home } = facts;
  const folder = `${home}/.config/systemd/user`;
  const unit = `${folder}/docker.service`;
  const settings = Object.entries({
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ...environment,
  }).map(([name, value]) => `Environment=${name}=${value}`);
  const text = `[Unit]
Description=Docker without root
StartLimitBurst=3
StartLimitIntervalSec=60

[Service]
${settings.join("\n")}
ExecStart=${scriptOf(facts)}
ExecReload=/bin/kill -s HUP $MAINPID
Type=notify
NotifyAccess=all
Restart=always
RestartSec=2
TimeoutSec=0
LimitNOFILE=infinity
LimitNPROC=infinity
TasksMax=infinity
Delegate=yes
KillMode=mixed

[Install]
WantedBy=default.target
`;
  return {
    part: "rootless",
    name: "Write the engine's unit",
    why: "systemd keeps it running, and starts it at boot.",
    changes: `${unit} is made`,
    sudo: false,
    commands: [`mkdir -p ${quote(folder)}`, writeFileCommand(unit, { text }).command],
    check: `[ -s ${quote(unit)} ]`,
    verified: `${unit} is there`,
  };
}

/** Debian has the script among examples, everyone else on the PATH. */
function scriptOf({ programs, packageManager, hasDockerCe }: SetupFacts): string {
  const isDebians = packageManager === "apt" && !hasDockerCe;
  const usual = isDebians ? "/usr/share/docker.io/contrib" : "/usr/bin";
  return programs["dockerd-rootless.sh"] ?? `${usual}/dockerd-rootless.sh`;
}

function start({ rootlessSocket }: SetupFacts): PlanStep {
  const journal = "journalctl --user -u docker -n 20 --no-pager";
  return {
    part: "rootless",
    name: "Start the engine",
    why: "Containers run in it.",
    changes: "the user's service docker runs, now and after each boot",
    sudo: false,
    commands: [
      "systemctl --user daemon-reload",
      "systemctl --user enable --now docker",
      waitFor(rootlessSocket, { sudo: "", orElse: journal }),
    ],
    check: `systemctl --user is-enabled -q docker && docker -H unix://${rootlessSocket} version >/dev/null 2>&1`,
    verified: `"docker -H unix://${rootlessSocket} version" answers, and the service starts at boot`,
  };
}
