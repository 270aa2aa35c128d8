const MAX_CHARACTERS = 100;

/**
 * What is wrong with the id of a job or step, in GitHub's words; `undefined` when nothing is.
 * (`IdBuilder.TryAddKnownId` of GitHub's workflow parser.)
 */
export function explainBadId(id: string): string | undefined {
  if (!/^[A-Za-z_][A-Za-z0-9_-]*$/.test(id) || id.length >= MAX_CHARACTERS) {
    return `The identifier '${id}' is invalid. IDs may only contain alphanumeric characters, '_', and '-'. IDs must start with a letter or '_' and must be less than ${MAX_CHARACTERS} characters.`;
  }
  if (id.startsWith("__")) {
    return `The identifier '${id}' is invalid. IDs starting with '__' are reserved.`;
  }
  return undefined;
}

export function explainDuplicateId(id: string): string {
  return `The identifier '${id}' may not be used more than once within the same scope.`;
}

/**
 * The ids GitHub gives to steps that have none: `__run`, `__run_2`, `__owner_repo`, `__self`, …
 *
 * @param uses What each such step uses, `undefined` for a script; in the order of the steps.
 */
export function generateStepIds(uses: readonly (string | undefined)[]): string[] {
  const taken = new Set<string>();
  return uses.map((reference) => {
    const basis = `__${basisOf(reference)}`.replace(/[^A-Za-z0-9_-]/g, "_");
    for (let attempt = 1; ; attempt++) {
      const suffix = attempt === 1 ? "" : `_${attempt}`;
      const id = basis.slice(0, MAX_CHARACTERS - suffix.length) + suffix;
      if (taken.has(id)) continue;
      taken.add(id);
      return id;
    }
  });
}

function basisOf(uses: string | undefined): string {
  if (uses === undefined) return "run";
  if (uses.startsWith("docker://")) return uses.slice("docker://".length);
  if (/^\.[\\/]/.test(uses)) return "self";
  if (uses.startsWith("$/")) return "selfRepository";
  const [owner, repository] = (uses.split("@")[0] ?? "").split(/[\\/]/).filter(Boolean);
  return owner && repository ? `${owner}/${repository}` : "run";
}

/** What is wrong with the `uses` of a job that calls a workflow. */
export function explainBadCall(uses: string): string | undefined {
  const isLocal = /^(?:\.|\$)\/\.github\/workflows\/[^/@]+\.ya?ml$/.test(uses);
  const isRemote = /^[^/@]+\/[^/@]+\/\.github\/workflows\/[^/@]+\.ya?ml@[^@]+$/.test(uses);
  if (isLocal || isRemote) return undefined;
  return `Invalid workflow reference '${uses}'. Expected './.github/workflows/FILE.yml' or '{owner}/{repo}/.github/workflows/FILE.yml@{ref}'`;
}
