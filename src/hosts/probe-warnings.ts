import type { Warning } from "./host-facts.ts";

type Flaw = {
  readonly cve: string;
  /** First version of each release line that has the fix; a line that is not named never got it. */
  readonly fixed: readonly string[];
};

/** Ways out of a container. Sources: the projects' own security advisories. */
const RUNC_FLAWS: readonly Flaw[] = [
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
}: {
  readonly runc: readonly string[];
  readonly nvidiaToolkit: string | null;
}): Warning[] {
  return [
    ...[...new Set(runc)].flatMap((version) => warn("runc", version, RUNC_FLAWS)),
    ...(nvidiaToolkit === null
      ? []
      : warn("nvidia-container-toolkit", nvidiaToolkit, TOOLKIT_FLAWS)),
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
  const [major, minor, patch] = own;
  const inLine = fixed
    .map(numbersOf)
    .find((fix) => fix !== undefined && fix[0] === major && fix[1] === minor);
  if (inLine !== undefined) {
    // A candidate comes before its version; whether it has the fix does not matter, none should be used.
    return patch > inLine[2] || (patch === inLine[2] && !/^[\d.]+-?rc/.test(version));
  }
  const newest = numbersOf(fixed.at(-1) ?? "");
  return newest !== undefined && (major > newest[0] || (major === newest[0] && minor > newest[1]));
}

function numbersOf(version: string): [number, number, number] | undefined {
  const match = /^v?(\d+)\.(\d+)(?:\.(\d+))?/.exec(version);
  return match === null ? undefined : [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)];
}
