import { z } from "zod";
import { BerthError } from "../../runner/errors.ts";
import { claimScript, listScript, lookScript, RIVALS, releaseScript } from "./claim-scripts.ts";
import type { MachineShell } from "./machine-shell.ts";

/** On every Linux, writable for everybody, and empty after a reboot, like the GPUs. */
export const CLAIMS_FOLDER = "/dev/shm/berth-claims";

/** Who has a GPU, as it is written on the machine. */
export const GpuClaim = z.object({
  /** The same in each life of the one who claims. */
  id: z.string(),
  /** `service/ID`, or a process as `io.berth.owner` has it. */
  owner: z.string(),
  /** The id that the engine gave itself on which the job's containers are. */
  engine: z.string(),
  /** `io.berth.job` of the containers. */
  job: z.string(),
  sinceMs: z.number(),
});
export type GpuClaim = z.infer<typeof GpuClaim>;

/** A whole GPU, or a slice with the GPU that it was cut from. */
export type ClaimUnit = { readonly uuid: string; readonly gpu?: string | undefined };

/** A unit that somebody has. `claim` is `undefined` where its text was written by something else. */
export type HeldUnit = ClaimUnit & { readonly text: string; readonly claim: GpuClaim | undefined };

/** All that was asked for, until it is released; or who is in the way. */
export type ClaimAnswer =
  | (AsyncDisposable & { readonly kind: "claimed" })
  | { readonly kind: "taken"; readonly by: readonly HeldUnit[] };

export type ClaimRequest = {
  readonly claim: Omit<GpuClaim, "sinceMs">;
  readonly units: readonly ClaimUnit[];
  /** Default `CLAIMS_FOLDER`. */
  readonly folder?: string | undefined;
  readonly signal: AbortSignal;
};

const LIMIT_MS = 30_000;

/**
 * Takes GPUs of a machine for a job: all of them or none, against everybody who uses Berth there, on whichever engine. Whoever claims with the same id again
 * has them still. Disposing lets them go, and fails like `releaseUnits`.
 *
 * @throws {BerthError} `HOST_UNUSABLE` where no claims can be made; `HOST_UNREACHABLE`.
 */
export async function claimGpus(
  shell: MachineShell,
  { claim, units, folder = CLAIMS_FOLDER, signal }: ClaimRequest,
): Promise<ClaimAnswer> {
  const { id, owner, engine, job } = claim;
  const text = JSON.stringify({ id, owner, engine, job, sinceMs: Date.now() });
  const names = units.map(nameOf).toSorted();
  const release = (beginning: string) => {
    const own = names.map((name) => ({ name, text: beginning }));
    return releaseNames(shell, own, { folder });
  };
  const stdin = [beginningOf(id), text, ...names, ""].join("\n");
  try {
    const options = { stdin, limitMs: LIMIT_MS, signal };
    const { exitCode, stdout, stderr } = await shell.run(claimScript(folder), options);
    if (exitCode === RIVALS) return { kind: "taken", by: readHeld(stdout) };
    if (exitCode !== 0) throw cannotClaim(stderr);
  } catch (error) {
    // It may have been ended half-way; what an earlier life took is not its to give.
    await release(text).catch(() => {});
    throw error;
  }
  return {
    kind: "claimed",
    [Symbol.asyncDispose]: async () => void (await release(beginningOf(id))),
  };
}

/** @throws {BerthError} `HOST_UNREACHABLE`, `HOST_UNUSABLE` */
export async function listClaims(
  shell: MachineShell,
  { folder = CLAIMS_FOLDER, signal }: { readonly folder?: string; readonly signal: AbortSignal },
): Promise<HeldUnit[]> {
  const options = { limitMs: LIMIT_MS, signal };
  const { exitCode, stdout, stderr } = await shell.run(listScript(folder), options);
  if (exitCode !== 0) throw cannotClaim(stderr);
  return readHeld(stdout);
}

/** Lets units go that are held as they were read, and none that somebody else has taken since. Those that went. */
export async function releaseUnits(
  shell: MachineShell,
  held: readonly HeldUnit[],
  { folder = CLAIMS_FOLDER }: { readonly folder?: string | undefined } = {},
): Promise<readonly HeldUnit[]> {
  const names = held.map((unit) => ({ name: nameOf(unit), text: unit.text }));
  const gone = await releaseNames(shell, names, { folder });
  return held.filter((unit) => gone.includes(nameOf(unit)));
}

/** What computes on a GPU. */
export type GpuUser = { readonly uuid: string; readonly pid: number; readonly program: string };

/** What a machine's GPUs are doing. */
export type GpuLook = {
  readonly held: readonly HeldUnit[];
  /** Those that were claimed when the look began. */
  readonly wereHeld: readonly HeldUnit[];
  /** `undefined` when the driver did not answer. */
  readonly users: readonly GpuUser[] | undefined;
};

/** @throws {BerthError} `HOST_UNREACHABLE` */
export async function lookAtGpus(
  shell: MachineShell,
  {
    folder = CLAIMS_FOLDER,
    signal,
  }: { readonly folder?: string | undefined; readonly signal: AbortSignal },
): Promise<GpuLook> {
  const options = { limitMs: LIMIT_MS, signal };
  const { exitCode, stdout } = await shell.run(lookScript(folder), options);
  const [before = "", users = "", after = ""] = stdout.split(/^--\n/m);
  return {
    held: readHeld(after),
    wereHeld: readHeld(before),
    users: exitCode === 0 ? readComputeApps(users) : undefined,
  };
}

/** Rows of `nvidia-smi --query-compute-apps=gpu_uuid,pid,process_name --format=csv,noheader`; what is no row is passed over. */
export function readComputeApps(text: string): GpuUser[] {
  return text.split("\n").flatMap((line) => {
    const [, uuid = "", pid, program = ""] =
      /^\s*((?:GPU|MIG)-[^,\s]+),\s*(\d+)(?:,\s*(.*))?$/.exec(line) ?? [];
    return pid === undefined ? [] : [{ uuid, pid: Number(pid), program: program.trim() }];
  });
}

async function releaseNames(
  shell: MachineShell,
  names: readonly { readonly name: string; readonly text: string }[],
  { folder }: { readonly folder: string },
): Promise<string[]> {
  const stdin = names.map(({ name, text }) => `${name}\n${text}\n`).join("");
  // Takes no signal: what was given up must still go.
  const options = { stdin, limitMs: LIMIT_MS, signal: new AbortController().signal };
  const { exitCode, stdout, stderr } = await shell.run(releaseScript(folder), options);
  if (exitCode !== 0) throw cannotClaim(stderr);
  return stdout.split("\n").filter(Boolean);
}

/** How the text of a claim begins. */
function beginningOf(id: string): string {
  return `{"id":${JSON.stringify(id)},`;
}

/** `GPU-1`, `GPU-1+MIG-2`: a whole GPU's name finds all its slices. */
function nameOf({ uuid, gpu }: ClaimUnit): string {
  return gpu === undefined || gpu === uuid ? fileName(uuid) : `${fileName(gpu)}+${fileName(uuid)}`;
}

/** Slices had names with slashes once: `MIG-GPU-…/1/0`. */
function fileName(uuid: string): string {
  if (!/^\w[\w.:/-]*$/.test(uuid)) throw cannotClaim(`${uuid} is no name of a GPU.`);
  return uuid.replaceAll("/", "%");
}

function readHeld(text: string): HeldUnit[] {
  const held = text.split("\n").flatMap((line) => {
    const [name = "", claim] = line.split("\t");
    if (claim === undefined || !/^\w[\w.:%-]*(\+\w[\w.:%-]*)?$/.test(name)) return [];
    const [first = "", slice] = name.replaceAll("%", "/").split("+");
    const unit = slice === undefined ? { uuid: first } : { uuid: slice, gpu: first };
    return [{ ...unit, text: claim, claim: readClaim(claim) }];
  });
  return [...new Map(held.map((unit) => [nameOf(unit), unit])).values()];
}

function readClaim(text: string): GpuClaim | undefined {
  try {
    return GpuClaim.parse(JSON.parse(text));
  } catch {
    return undefined; // not ours: it is in the way all the same
  }
}

function cannotClaim(stderr: string): BerthError {
  return new BerthError("HOST_UNUSABLE", {
    message: `GPUs of the machine cannot be claimed: ${stderr.trim() || "its shell gave no reason."}`,
    remedy: `See that everybody who runs jobs there may write to ${CLAIMS_FOLDER}.`,
  });
}
