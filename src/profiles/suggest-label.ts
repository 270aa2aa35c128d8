/** Other names for what a label may ask for, and the label. */
const OTHER_NAMES: { readonly [name: string]: string } = {
  amd64: "x64",
  x86_64: "x64",
  "x86-64": "x64",
  aarch64: "arm64",
  arm: "arm64",
  gpus: "gpu",
  nvidia: "gpu",
  "docker-in-docker": "dind",
  cpus: "cpu",
  cores: "cpu",
  vcpu: "cpu",
  vcpus: "cpu",
  memory: "mem",
  ram: "mem",
  "gpu-memory": "gpu-mem",
  gpumem: "gpu-mem",
  vram: "gpu-mem",
  container: "image",
  hostname: "host",
};

/** Labels that stand before a value. */
const TAKES_VALUE = ["gpu-mem", "cuda", "mig", "cpu", "mem", "image", "host"];

/** In words, what a label that means nothing here may have been meant to be. `label` is in lower case. */
export function suggestLabel(label: string, names: readonly string[]): string {
  if (/^(?:windows|macos)(?:$|[-_\d])/.test(label)) {
    const system = label.startsWith("windows") ? "Windows" : "macOS";
    return `It asks for ${system}, and Berth runs Linux containers; leave it to GitHub's runners.`;
  }
  if (/^ubuntu(?:$|-)/.test(label)) {
    return 'It is a label of GitHub\'s own runners, which keep such jobs; write berth instead. "berth run" takes any Linux label.';
  }
  // `cpu4`, `mem16g` and `memory=16g` are a name and a value with the wrong thing between or before them.
  const [, name = label, value = ""] = /^([a-z][a-z_-]*?)[=:_-]?(\d[\w.]*)?$/.exec(label) ?? [];
  const meant =
    OTHER_NAMES[label] ?? OTHER_NAMES[name] ?? nearest(label, names) ?? nearest(name, names);
  if (meant === undefined) return "Berth knows no such label; another runner may.";
  if (value !== "" && (TAKES_VALUE.includes(meant) || meant === "gpu") && meant !== label) {
    return `Was ${meant}=${value} meant?`;
  }
  return TAKES_VALUE.includes(meant) ? `Was ${meant}=… meant?` : `Was ${meant} meant?`;
}

function nearest(word: string, names: readonly string[]): string | undefined {
  const allowed = word.length <= 4 ? 1 : 2;
  const near = names
    .map((name) => ({ name, distance: distanceOf(word, name) }))
    .filter(({ distance }) => distance <= allowed)
    .sort((a, b) => a.distance - b.distance);
  return near[0]?.name;
}

/** How many letters must be put in, taken out or changed to make one word of the other. */
function distanceOf(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 2) return Number.POSITIVE_INFINITY;
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (const [above, letter] of [...a].entries()) {
    const next = [above + 1];
    for (const [at, other] of [...b].entries()) {
      const kept = (row[at] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min(kept, (row[at + 1] ?? 0) + 1, (next[at] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
