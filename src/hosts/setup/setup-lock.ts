import { BerthError } from "../../../runner/errors.ts";
import type { MachineShell } from "../machine-shell.ts";
import { inSetupShell } from "./setup-shell.ts";

const RELEASE_LIMIT_MS = 10_000;
/** In a folder where every user may; opened for reading only, which suffices for a lock and follows nobody's link into a write. */
const LOCK_FILE = "/tmp/.berth-setup.lock";

/**
 * Held by one set-up of a machine at a time, whoever's it is and wherever it comes from; the kernel gives it back when its holder ends.
 *
 * @throws {BerthError} `SETUP_FAILED` when another one holds it. What `shell.run` throws.
 */
export async function lockSetup(
  shell: MachineShell,
  { file = LOCK_FILE, signal }: { readonly file?: string; readonly signal: AbortSignal },
): Promise<AsyncDisposable> {
  const release = new AbortController();
  const held = Promise.withResolvers<string>();
  const holding = shell
    .run(inSetupShell(holderScript(file)), {
      signal: AbortSignal.any([signal, release.signal]),
      onLine: (line) => line.startsWith("held ") && held.resolve(line.slice("held ".length)),
    })
    .then(
      ({ stdout, stderr }) => held.reject(notHeld(stdout, stderr)),
      (error) => held.reject(error),
    );
  const pid = await held.promise;
  return {
    async [Symbol.asyncDispose]() {
      // Before the abort, after which the far end of a connection lives on for a while. With a signal of its own: this has to happen, too.
      const ends = AbortSignal.timeout(RELEASE_LIMIT_MS);
      await shell.run(`kill ${pid}`, { signal: ends }).catch(() => {});
      release.abort();
      await holding;
    },
  };
}

/** Prints now and then: when nobody reads any more, that ends it. */
function holderScript(file: string): string {
  return `
# With -C it makes no file where somebody's link leads.
[ -e ${file} ] || ( umask 0; set -C; : > ${file} ) 2>/dev/null
command -v flock >/dev/null || { echo "no flock"; exit 1; }
exec 9<${file} || { echo "no file"; exit 1; }
flock -n 9 || { echo busy; exit 1; }
echo "held $$"
while echo; do sleep 2 9<&-; done`;
}

function notHeld(stdout: string, stderr: string): BerthError {
  if (stdout.trim() === "busy") {
    return new BerthError("SETUP_FAILED", {
      message: "Another set-up of this machine is under way.",
      remedy: `Wait for it, then run this again: what is done by then is not done twice. "fuser ${LOCK_FILE}" there names its process.`,
    });
  }
  return new BerthError("SETUP_FAILED", {
    message: `The lock ${LOCK_FILE} cannot be had on the machine: ${stdout.trim() || stderr.trim() || "its shell ended"}.`,
    remedy: "It takes the program flock (package util-linux) and a /tmp that can be written.",
  });
}
