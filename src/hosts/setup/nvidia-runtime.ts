import { quote } from "../../../runner/quote.ts";
import { DOCKER_FOLDER, DOCKER_SOCKET } from "./docker-steps.ts";
import type { SetupFacts } from "./setup-facts.ts";
import type { PlanStep } from "./setup-plan.ts";

type Engine = "docker" | "rootless";

/** Has an engine use the toolkit, and lists the GPUs for engines that take them by name (CDI). */
export function runtimeSteps(facts: SetupFacts, engine: Engine): PlanStep[] {
  const sudo = facts.sudo === "root" ? "" : "sudo ";
  return [
    ...(engine === "rootless" ? [withoutControlGroups(sudo)] : []),
    registerRuntime(facts, { engine, sudo }),
    listDevices(sudo),
  ];
}

/** A rootless engine cannot tell control groups which devices a container may use. */
function withoutControlGroups(sudo: "" | "sudo "): PlanStep {
  const file = "/etc/nvidia-container-runtime/config.toml";
  return {
    part: "toolkit",
    name: "Have the toolkit leave control groups alone",
    why: "A rootless engine may not set which devices a control group may use.",
    changes: `no-cgroups = true in ${file}`,
    sudo: sudo !== "",
    commands: [`${sudo}nvidia-ctk config --set nvidia-container-cli.no-cgroups=true --in-place`],
    check: `grep -Eqs '^ *no-cgroups *= *true' ${file}`,
    verified: `${file} says so`,
  };
}

function registerRuntime(
  facts: SetupFacts,
  { engine, sudo }: { engine: Engine; sudo: "" | "sudo " },
): PlanStep {
  const isRootless = engine === "rootless";
  const own = isRootless ? "" : sudo;
  const config = isRootless
    ? `${facts.home}/.config/docker/daemon.json`
    : "/etc/docker/daemon.json";
  const docker = `${own}docker -H unix://${isRootless ? facts.rootlessSocket : DOCKER_SOCKET}`;
  return {
    part: "toolkit",
    name: "Register NVIDIA's runtime with the engine",
    why: "The engine hands out GPUs only when it knew of the runtime at its start.",
    changes: `${config} names the runtime; the engine starts anew, which is not done while containers run on it`,
    sudo: own !== "",
    commands: [
      `[ -z "$(${docker} ps -q)" ] || { echo 'Containers run on this engine, and its restart would end them. Wait for them; then run this again.' >&2; false; }`,
      `${isRootless ? `mkdir -p ${quote(`${facts.home}/.config/docker`)} && ` : ""}${own}nvidia-ctk runtime configure --runtime=docker --config=${quote(config)}`,
      restart(facts, { engine, sudo: own }),
      `timeout 60 sh -c ${quote(`until ${docker} version >/dev/null 2>&1; do sleep 0.5; done`)}`,
    ],
    check: `${docker} info --format '{{json .Runtimes}}' 2>/dev/null | grep -q '"nvidia"'`,
    verified: '"docker info" lists the runtime nvidia',
  };
}

function restart(
  facts: SetupFacts,
  { engine, sudo }: { engine: Engine; sudo: "" | "sudo " },
): string {
  if (facts.init === "systemd") {
    return engine === "rootless"
      ? "systemctl --user restart docker"
      : `${sudo}systemctl restart docker`;
  }
  if (engine === "docker" && facts.init === "openrc") return `${sudo}rc-service docker restart`;
  const runtime = facts.rootlessSocket.replace(/\/docker\.sock$/, "");
  const pidFile = engine === "docker" ? "/var/run/docker.pid" : `${runtime}/docker.pid`;
  const who = engine === "docker" ? `${DOCKER_FOLDER}/supervise` : "the supervisor";
  return `${sudo}sh -c ${quote(`pid=$(cat ${pidFile}) && kill $pid && while kill -0 $pid 2>/dev/null; do sleep 0.5; done`)} # ${who} starts it again`;
}

function listDevices(sudo: "" | "sudo "): PlanStep {
  return {
    part: "toolkit",
    name: "List the GPUs for engines that take devices by name",
    why: "Podman, and Docker with CDI, find them there.",
    changes: "/etc/cdi/nvidia.yaml is made; to be made anew after a change of the driver",
    sudo: sudo !== "",
    commands: [
      `${sudo}mkdir -p /etc/cdi`,
      `${sudo}nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`,
    ],
    check: "[ -s /etc/cdi/nvidia.yaml ]",
    verified: "/etc/cdi/nvidia.yaml lists devices",
  };
}
