import type { Warning } from "./host-facts.ts";

type Flaw = {
  readonly cve: string;
  /** First version of each release line that has the fix; a line that is not named never got it. */
  readonly fixed: readonly string[];
};

/** Ways out of a container. Sources: the projects' own security advisories. */
const RUNC_FLAWS: readonly Flaw[] = [
  { cve: "CVE-2019-5736", fixed: ["1.0.0-rc7"] },
  { cve: "CVE-2024-21626", fixed: ["1.1.12"] },
  { cve: "CVE-2025-31133, CVE-2025-52565, CVE-2025-52881", fixed: ["1.2.8", "1.3.3", "1.4.0"] },
];
const TOOLKIT_FLAWS: readonly Flaw[] = [
  { cve: "CVE-2024-0132", fixed: ["1.16.2"] },
  { cve: "CVE-2025-23359", fixed: ["1.17.4"] },
  { cve: "CVE-2025-23266", fixed: ["1.17.8"] },
];

/** Warns of versions out of whose containers a known way leads. */
export function warnOfEscapes({
  runc,
  nvidiaToolkit,
  nvidiaLibrary = null,
}: {
  readonly runc: readonly string[];
  readonly nvidiaToolkit: string | null;
  readonly nvidiaLibrary?: string | null;
}): Warning[] {
  return [
    ...[...new Set(runc)].flatMap((version) => warn("runc", version, RUNC_FLAWS)),
    ...(nvidiaToolkit === null
      ? []
      : warn("nvidia-container-toolkit", nvidiaToolkit, TOOLKIT_FLAWS)),
    // It is released together with the toolkit, under the same number; one that was left behind at an update is told by itself.
    ...(nvidiaLibrary === null || nvidiaLibrary === nvidiaToolkit
      ? []
      : warn("libnvidia-container", nvidiaLibrary, TOOLKIT_FLAWS)),
  ];
}

/** Certificates, tokens and caches go by the time; a minute is what they mostly allow. */
const MOST_SKEW_MS = 30_000;

/** Warns of a clock that is off; `null` is one that could not be read. */
export function warnOfClock(skewMs: number | null): Warning[] {
  if (skewMs === null || Math.abs(skewMs) <= MOST_SKEW_MS) return [];
  const off = `${Math.round(Math.abs(skewMs) / 1000)} s ${skewMs > 0 ? "ahead of" : "behind"}`;
  return [
    {
      message: `Its clock is ${off} this machine's: certificates and tokens may not be taken there, and times in logs are wrong.`,
      remedy:
        "Have its clock set from the network: `sudo timedatectl set-ntp true`, or install chrony.",
    },
  ];
}

function warn(program: string, version: string, flaws: readonly Flaw[]): Warning[] {
  const open = flaws.filter(({ fixed }) => !isFixed(version, fixed));
  if (open.length === 0) return [];
  const newest = open.at(-1)?.fixed[0];
  // Distributions put single fixes into old versions and leave the number as it is.
  const isPackaged = /[+~-](?!rc)/.test(version);
  const unless = isPackaged ? ", unless the distribution has put the fix into its package" : "";
  const look = isPackaged ? ` See \`apt changelog ${program}\` or the like for the CVEs.` : "";
  return [
    {
      message: `${program} ${version} has known ways out of a container (${open.map(({ cve }) => cve).join(", ")})${unless}.`,
      remedy: `Update ${program} to ${newest} or later.${look}`,
    },
  ];
}

/** Fixed in its own release line, or in an older one that it came after. */
function isFixed(version: string, fixed: readonly string[]): boolean {
  const own = numbersOf(version);
  if (own === undefined) return true; // what cannot be read gives no reason to warn
  const fixes = fixed.flatMap((one) => numbersOf(one) ?? []);
  const inLine = fixes.find(({ line }) => line === own.line);
  if (inLine !== undefined) {
    return (
      own.patch > inLine.patch || (own.patch === inLine.patch && own.candidate >= inLine.candidate)
    );
  }
  return own.line > Math.max(...fixes.map(({ line }) => line));
}

/** Of `1.1.5+ds1`, `1.0-rc6`: a release line as one number, its patch, and the candidate, which comes before its version. */
function numbersOf(version: string) {
  const match = /^v?(\d+)\.(\d+)(?:\.(\d+))?(?:[-~]?rc\.?(\d+))?/.exec(version);
  if (match === null) return undefined;
  const [, major, minor, patch, candidate] = match.map(Number);
  return {
    line: (major ?? 0) * 1000 + (minor ?? 0),
    patch: Number.isNaN(patch) ? 0 : (patch ?? 0),
    candidate: Number.isNaN(candidate) ? Number.POSITIVE_INFINITY : (candidate ?? 0),
  };
}
