import { jsonView } from "./view/json-view.ts";
import { liveView } from "./view/live-view.ts";
import { type Loudness, plainView } from "./view/plain-view.ts";
import type { View } from "./view/run-event.ts";
import { spillingWriter } from "./view/spilling-writer.ts";
import { createStyle, wantsColour } from "./view/style.ts";

/** How a run is shown: events for programs, a live list on a terminal, plain lines everywhere else. */
export function createView(
  flags: { readonly json?: true; readonly quiet?: true; readonly verbose?: true },
  { stdout, stderr, env }: Pick<NodeJS.Process, "stdout" | "stderr" | "env">,
): View {
  const loudness: Loudness = flags.verbose ? "verbose" : flags.quiet ? "quiet" : "normal";
  if (flags.json) return jsonView(spillingWriter(stdout), spillingWriter(stderr));
  const style = createStyle(wantsColour(env, stdout));
  const isLive = stdout.isTTY === true && env.TERM !== "dumb";
  if (isLive) return liveView(stdout, { style, loudness });
  return plainView(spillingWriter(stdout), spillingWriter(stderr), { style, loudness });
}
