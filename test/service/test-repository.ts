import { checkWorkflow } from "../../runner/workflow/read-workflow.ts";
import type { RepositoryOptions } from "../../src/localhub/hub-options.ts";
import type { HubCheckRun, HubJob, HubRun } from "../../src/localhub/local-hub.ts";
import type { TestService } from "./service-on-localhub.ts";

const WORKFLOW = ".github/workflows/ci.yml";

/** A repository of its own beside a service, so that several tests share the service. */
export type TestRepository = {
  /** `OWNER/NAME`. */
  readonly name: string;
  /** Pushes a change to its default branch. */
  push(files?: { [path: string]: string }): Promise<string>;
  /** The newest run. */
  run(): HubRun;
  /** GitHub's own newest job of a name, once it is there. */
  job(name: string): Promise<HubJob>;
  /** The checks that Berth made, by what follows `Berth / `; of several of one name the newest. */
  checks(): { [name: string]: HubCheckRun };
  /** All of one name, oldest first. */
  checksNamed(name: string): HubCheckRun[];
  /** The newest check of a name, once it is so. */
  check(name: string, isSo: (check: HubCheckRun) => boolean): Promise<HubCheckRun>;
  /** The newest check of a name, once it has ended. */
  ended(name: string): Promise<HubCheckRun>;
};

/** Makes a repository with one workflow. */
export async function testRepository(
  { hub, until }: TestService,
  name: string,
  workflow: string,
  options: Partial<RepositoryOptions> = {},
): Promise<TestRepository> {
  const [owner, fullName] = ["octo", `octo/${name}`];
  const { problems } = checkWorkflow({ file: WORKFLOW, text: workflow });
  if (problems.length > 0) throw new Error(JSON.stringify(problems));
  const files = { [WORKFLOW]: workflow, ...options.files };
  await hub.createRepository(owner, { ...options, name, files });
  let pushes = 0;

  const isHere = ({ repository }: { repository: string }) => repository === fullName;
  const allChecks = () => hub.checkRuns().filter((one) => isHere(one) && one.owner === "app");
  const checksNamed = (job: string) => allChecks().filter((one) => one.name === `Berth / ${job}`);
  const check = (job: string, isSo: (check: HubCheckRun) => boolean) =>
    until(() => checksNamed(job).filter(isSo).at(-1));
  return {
    name: fullName,
    push(changed = {}) {
      pushes += 1;
      const content = { "change.txt": `${pushes}`, ...changed };
      return hub.commit(fullName, { branch: "main", message: "Change", files: content });
    },
    run() {
      const run = hub.runs().findLast(isHere);
      if (run === undefined) throw new Error(`${fullName} has no run.`);
      return run;
    },
    job: (job) => until(() => hub.jobs().findLast((one) => isHere(one) && one.name === job)),
    checks: () =>
      Object.fromEntries(allChecks().map((one) => [one.name.replace("Berth / ", ""), one])),
    checksNamed,
    check,
    ended: (job) =>
      until(() => {
        const newest = checksNamed(job).at(-1);
        return newest?.status === "completed" && newest;
      }),
  };
}
