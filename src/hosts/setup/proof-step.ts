import type { SetupFacts } from "./setup-facts.ts";
import type { PlanStep } from "./setup-plan.ts";

/** A program that ends at once with 0, for `uname -m`: all that is in the image. No registry is needed. */
const PROGRAMS: { readonly [machine: string]: string } = {
  x86_64:
    "f0VMRgIBAQAAAAAAAAAAAAIAPgABAAAAeABAAAAAAABAAAAAAAAAAAAAAAAAAAAAAAAAAEAAOAABAAAAAAAAAAEAAAAFAAAAAAAAAAAAAAAAAEAAAAAAAAAAQAAAAAAAgQAAAAAAAACBAAAAAAAAAAAQAAAAAAAAMf+4PAAAAA8F",
  aarch64:
    "f0VMRgIBAQAAAAAAAAAAAAIAtwABAAAAeABAAAAAAABAAAAAAAAAAAAAAAAAAAAAAAAAAEAAOAABAAAAAAAAAAEAAAAFAAAAAAAAAAAAAAAAAEAAAAAAAAAAQAAAAAAAhAAAAAAAAACEAAAAAAAAAAAQAAAAAAAAAACAUqgLgFIBAADU",
};

/** Runs a container that does nothing: an engine that answers may yet be unable to. Its image is made here and goes again. */
export function proofStep(
  facts: Pick<SetupFacts, "machine" | "sudo">,
  engine: { readonly part: "docker" | "rootless"; readonly endpoint: string },
): PlanStep {
  const { part, endpoint } = engine;
  const sudo = part === "docker" && facts.sudo !== "root" ? "sudo " : "";
  const docker = `${sudo}docker -H ${endpoint}`;
  const program = PROGRAMS[facts.machine];
  const run =
    program === undefined
      ? `${docker} info`
      : `( folder=$(mktemp -d) && trap 'rm -r "$folder"; ${docker} rmi berth-setup:$$ >/dev/null' EXIT
  echo ${program} | base64 -d > "$folder/exit" && chmod 755 "$folder/exit" &&
  tar -c -C "$folder" exit | ${docker} import - berth-setup:$$ >/dev/null &&
  ${docker} run --rm berth-setup:$$ /exit )`;
  return {
    part,
    name: "Run a container",
    why: "An engine that answers may yet be unable to run one.",
    changes: "nothing stays: the container and its image are removed",
    sudo: sudo !== "",
    commands: [run],
    check: run,
    verified: "the container ended with 0",
  };
}
