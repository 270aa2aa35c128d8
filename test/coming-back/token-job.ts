import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ExecuteJobDeps } from "../../runner/job/execute-job.ts";
import type { JobDescription } from "../../runner/job/job-description.ts";
import { busyJob } from "./busy-job.ts";

/** Three steps that count themselves and print their token in a way that no masker knows; the second waits for a file. */
export function tokenJob(id: string): JobDescription {
  const step = (n: number, more: string) => ({
    kind: "run" as const,
    id: `s${n}`,
    if: "success()",
    env: { map: [["T", { expr: "github.token" }]] as const },
    run: `echo ${n} >> ../ran; echo "step ${n} has $(echo "$T" | sed 's/./&./g')"; ${more}`,
  });
  return {
    ...busyJob(id, 0),
    outputs: { map: [] },
    steps: [
      step(1, 'echo "KEPT=$T" >> "$GITHUB_ENV"'),
      step(2, "sleep 2"),
      step(3, 'echo "ran $(tr -d "\\n" < ../ran)"; echo "and $T and $KEPT"'),
    ],
  };
}

/** A token for each life of the job; those of before are in a file, as a service would have them in its store. */
export function tokensIn(
  folder: string,
): Required<Pick<ExecuteJobDeps, "token" | "earlierTokens">> {
  const file = join(folder, "tokens.json");
  const earlierTokens = existsSync(file)
    ? (JSON.parse(readFileSync(file, "utf8")) as string[])
    : [];
  const token = `ghs_life${earlierTokens.length + 1}`;
  writeFileSync(file, JSON.stringify([...earlierTokens, token]));
  return { earlierTokens, token: async () => token };
}
