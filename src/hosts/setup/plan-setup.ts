import { DOCKER_FOLDER, DOCKER_SOCKET, dockerSteps } from "./docker-steps.ts";
import { dockerObstacle, rootlessObstacle } from "./engine-obstacles.ts";
import { planNvidia } from "./nvidia-steps.ts";
import { proofStep } from "./proof-step.ts";
import { rootlessFolder, rootlessSteps } from "./rootless-steps.ts";
import type { SetupFacts } from "./setup-facts.ts";
import type { Obstacle, PlanStep, SetupPlan, SetupWish } from "./setup-plan.ts";
import { noBootNote } from "./supervise-steps.ts";

/**
 * What a machine needs to get what is wished for, in order. Which way is taken follows from the facts alone; each step of it looks for itself whether
 * anything is to be done.
 */
export function planSetup(facts: SetupFacts, wish: SetupWish): SetupPlan {
  const choice = chooseEngine(facts, wish);
  const { engine } = choice;
  const gpus = wish.nvidia ? planNvidia(facts, { ...wish, engine }) : NOTHING;
  const steps = engine === undefined ? [] : engineSteps(facts, engine);
  return {
    engine,
    endpoint: engine === undefined ? undefined : `unix://${socketOf(facts, engine)}`,
    ...(choice.fallbackReason !== undefined && { fallbackReason: choice.fallbackReason }),
    steps: [...gpus.before, ...steps, ...gpus.after],
    obstacles: [...choice.obstacles, ...gpus.obstacles],
    notes: [...(engine === undefined ? [] : engineNotes(facts, engine)), ...gpus.notes],
  };
}

const NOTHING = { before: [], after: [], obstacles: [], notes: [] };

type Engine = "docker" | "rootless";
type Choice = {
  readonly engine: Engine | undefined;
  readonly fallbackReason?: string;
  readonly obstacles: readonly Obstacle[];
};

/** What is there comes first; then a rootless engine, but for root; then the system's. */
function chooseEngine(facts: SetupFacts, wish: SetupWish): Choice {
  const obstacle = {
    docker: dockerObstacle(facts, wish),
    rootless: rootlessObstacle(facts, wish),
  };
  if (wish.engine === undefined) {
    const present = (["rootless", "docker"] as const).find((kind) => facts.answers[kind]);
    if (present !== undefined) return { engine: present, obstacles: [] };
  }
  const isPlain = wish.engine === "docker" || (wish.engine === undefined && facts.uid === 0);
  if (isPlain) {
    return obstacle.docker === undefined
      ? { engine: "docker", obstacles: [] }
      : { engine: undefined, obstacles: [obstacle.docker] };
  }
  if (obstacle.rootless === undefined) return { engine: "rootless", obstacles: [] };
  if (obstacle.docker === undefined && wish.allow.includes("docker")) {
    return { engine: "docker", fallbackReason: obstacle.rootless.reason, obstacles: [] };
  }
  // Whoever wishes for a rootless one and allows no other asked nothing of the other.
  const isAsked = wish.engine === undefined || wish.allow.includes("docker");
  const others = isAsked && obstacle.docker !== undefined ? [obstacle.docker] : [];
  return { engine: undefined, obstacles: [obstacle.rootless, ...others] };
}

/** An engine that answers is left as it is, whoever set it up. */
function engineSteps(facts: SetupFacts, engine: Engine): PlanStep[] {
  const make = engine === "docker" ? dockerSteps : rootlessSteps;
  const endpoint = `unix://${socketOf(facts, engine)}`;
  return [
    ...(facts.answers[engine] ? [] : make(facts)),
    proofStep(facts, { part: engine, endpoint }),
  ];
}

function socketOf(facts: SetupFacts, engine: Engine): string {
  return engine === "docker" ? DOCKER_SOCKET : facts.rootlessSocket;
}

function engineNotes(facts: SetupFacts, engine: Engine): string[] {
  const { user, cgroupVersion, init } = facts;
  if (facts.answers[engine]) return [];
  const isSupervised = init === "none" || (engine === "rootless" && init !== "systemd");
  const folder = engine === "docker" ? DOCKER_FOLDER : rootlessFolder(facts);
  const isUnlimited = engine === "rootless" && !(cgroupVersion === "2" && init === "systemd");
  return [
    ...(engine === "docker" && facts.uid !== 0
      ? [
          `${user} is not put into the group docker, which would be root in all but name; Berth uses sudo for this engine.`,
        ]
      : []),
    ...(engine === "rootless"
      ? ["Containers of a rootless engine cannot publish ports below 1024."]
      : []),
    ...(isUnlimited
      ? [
          `Limits of CPU and memory cannot be enforced in it: that takes control groups v2 and systemd, and here is ${cgroupVersion === "2" ? "no systemd" : "version 1"}. Jobs with cpu= or mem= go elsewhere.`,
        ]
      : []),
    ...(isSupervised ? noBootNote(facts, folder) : []),
  ];
}
