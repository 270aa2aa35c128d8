import type { KeptRecord } from "../store/records.ts";
import { timeOf } from "./kept-jobs.ts";
import type { KeptText } from "./report/check-subject.ts";

/** How somebody gets into a failed job's container while it is kept. */
export function keptText(jobId: string, { untilMs, login }: KeptRecord): KeptText {
  const until = timeOf(untilMs);
  const { ssh, mosh, problem } = login ?? {};
  const noLogin = problem === undefined ? "" : ` Nobody can log in over SSH: ${problem}`;
  const onMachine = "The first of these commands is for the machine of the service.";
  return {
    phrase: `kept until ${until} for a look`,
    sentences: `Its container is kept until ${until}, for somebody to look into it. ${onMachine}${noLogin}`,
    commands: [`berth jobs ssh ${jobId}`, ...(ssh ? [ssh] : []), ...(mosh ? [mosh] : [])],
  };
}
