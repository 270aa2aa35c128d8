import { expect, it } from "@jest/globals";
import { warnOfEscapes } from "../../../src/hosts/probe-warnings.ts";

function cvesOf(program: "runc" | "toolkit", version: string): string[] {
  const versions = program === "runc" ? [version] : [];
  const nvidiaToolkit = program === "toolkit" ? version : null;
  return warnOfEscapes({ runc: versions, nvidiaToolkit }).flatMap(
    ({ message }) => message.match(/CVE-[\d-]+/g) ?? [],
  );
}

it.each<["runc" | "toolkit", string, string[]]>([
  ["runc", "1.1.11", ["CVE-2024-21626", "CVE-2025-31133"]],
  ["runc", "1.0.0-rc93", ["CVE-2024-21626", "CVE-2025-31133"]],
  ["runc", "1.1.12", ["CVE-2025-31133"]],
  ["runc", "1.2.7", ["CVE-2025-31133"]],
  ["runc", "1.2.8", []],
  ["runc", "v1.3.2", ["CVE-2025-31133"]],
  ["runc", "1.3.3", []],
  ["runc", "1.4.0-rc.1", ["CVE-2025-31133"]],
  ["runc", "1.4.0", []],
  ["runc", "2.0.0", []],
  ["runc", "unknown", []],
  ["toolkit", "1.16.1", ["CVE-2024-0132", "CVE-2025-23359", "CVE-2025-23266"]],
  ["toolkit", "1.16.2", ["CVE-2025-23359", "CVE-2025-23266"]],
  ["toolkit", "1.17.4", ["CVE-2025-23266"]],
  ["toolkit", "1.17.8", []],
  ["toolkit", "1.18.0", []],
])("knows the ways out of %s %s: %j", (program, version, cves) => {
  const found = cvesOf(program, version);

  expect(found.filter((cve) => !/52565|52881/.test(cve))).toEqual(cves);
});

it("says of a distribution's package that it may have the fix", () => {
  const [packaged] = warnOfEscapes({ runc: ["1.1.5+ds1", "1.1.5+ds1"], nvidiaToolkit: null });

  expect(packaged?.message).toContain("unless the distribution has put the fix into its package");
  expect(packaged?.remedy).toBe(
    "Update runc to 1.2.8 or later. See `apt changelog runc` or the like for the CVEs.",
  );
});
