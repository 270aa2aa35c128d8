import type { SetupEvent } from "../hosts/setup-step.ts";
import { cutColumns } from "./view/columns.ts";

/** Where no line can be rewritten, a step that takes long says so now and then. */
const PATIENCE_MS = 10_000;
const REDRAW_MS = 100;

type Terminal = {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
};

type Running = { readonly name: string; readonly begin: number; line: string; said: number };

/**
 * Shows a set-up as it goes: on a terminal one line that moves, elsewhere a line at the start and the end of each step
 * and every ten seconds in between. What was there already is not worth a line.
 */
export function showSetup(terminal: Terminal): Disposable & { report(event: SetupEvent): void } {
  const canRedraw = terminal.isTTY === true;
  let running: Running | undefined;

  const clear = () => canRedraw && terminal.write("\r\u001b[K");
  const tick = () => {
    if (!running) return;
    const seconds = Math.floor((performance.now() - running.begin) / 1000);
    if (canRedraw) {
      const text = `· ${running.name} ${seconds} s  ${running.line}`;
      terminal.write(`\r\u001b[K${cutColumns(text, (terminal.columns ?? 80) - 1)}`);
    } else if (performance.now() - running.said > PATIENCE_MS) {
      running.said = performance.now();
      terminal.write(`  … ${seconds} s: ${running.line}\n`);
    }
  };
  const timer = setInterval(tick, REDRAW_MS);
  timer.unref();

  return {
    report(event) {
      switch (event.type) {
        case "step_present":
          return;
        case "step_started": {
          const now = performance.now();
          running = { name: event.name, begin: now, line: "", said: now };
          terminal.write(`· ${event.name}: ${event.why}\n`);
          for (const command of event.commands) terminal.write(`    ${firstLine(command)}\n`);
          return;
        }
        case "step_progress":
          if (running && event.line.trim()) running.line = withoutControls(event.line.trim());
          return;
        case "step_done":
          clear();
          terminal.write(`✓ ${event.name} (${(event.ms / 1000).toFixed(1)} s)\n`);
          running = undefined;
          return;
        case "step_failed":
          clear();
          terminal.write(`✗ ${event.name} (${(event.ms / 1000).toFixed(1)} s)\n`);
          running = undefined;
          return;
        default:
          event satisfies never;
      }
    },
    [Symbol.dispose]() {
      clearInterval(timer);
      if (running) clear();
    },
  };
}

/** A file that a command writes would push everything else off the screen. */
function firstLine(command: string): string {
  const [first = "", ...more] = command.split("\n");
  return more.length === 0 ? first : `${first} …`;
}

/** Programs colour what they print and move the cursor about; here that would garble the line. */
function withoutControls(line: string): string {
  return line.replace(/\u001b\[[0-9;]*[A-Za-z]/g, "").replace(/[\u0000-\u001f]/g, " ");
}
