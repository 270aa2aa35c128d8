import type { ChildProcess } from "node:child_process";

/** All that a command has printed by the time a text is among it. */
export function whenPrinted(child: ChildProcess, wanted: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const look = (chunk: unknown) => {
      text += String(chunk);
      if (text.includes(wanted)) resolve(text);
    };
    child.stdout?.on("data", look);
    child.stderr?.on("data", look);
    child.once("close", () => reject(new Error(`ended without '${wanted}': ${text}`)));
  });
}
