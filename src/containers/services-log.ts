import type Docker from "dockerode";
import { readContainerLog } from "./container-shell.ts";

/** Lines of a service's log that are printed at most. */
const LINES = 5000;
/** The same in characters: a line may have no end. */
const CHARACTERS = 2 ** 20;

/** Lines that several write at once, each writer's told together and in the order of the writers. */
export type OrderedLines = { write(line: string): void; end(): void };

/** Gives `count` writers. The first that has not ended tells at once, the others' lines wait for those before. */
export function inOrder(count: number, tell: (line: string) => void): OrderedLines[] {
  const held = Array.from({ length: count }, () => ({ lines: [] as string[], hasEnded: false }));
  let current = 0;

  function advance(): void {
    for (; held[current]?.hasEnded; current++)
      for (const line of held[current + 1]?.lines ?? []) tell(line);
  }

  return held.map((own, index) => ({
    write(line) {
      if (index === current) tell(line);
      else own.lines.push(line);
    },
    end() {
      own.hasEnded = true;
      if (index === current) advance();
    },
  }));
}

/** The last lines that a container printed, both streams, not more than two million characters of them; none when it is gone. */
export async function readLastLines(
  docker: Docker,
  containerId: string,
  signal: AbortSignal,
): Promise<string[]> {
  const streams = { stdout: new TextDecoder(), stderr: new TextDecoder() };
  let text = "";
  let isCut = false;
  for await (const { stream, data } of readContainerLog(docker, containerId, {
    tail: LINES,
    signal,
  })) {
    text += streams[stream].decode(data, { stream: true });
    if (text.length > 2 * CHARACTERS) {
      text = text.slice(-CHARACTERS);
      isCut = true;
    }
  }
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  if (isCut) lines.unshift(`(the last ${CHARACTERS} characters)`);
  return lines.length < LINES ? lines : [`(the last ${LINES} lines)`, ...lines.slice(-LINES)];
}
