/** Something of GitHub's that an action does without here, what programs print that look for it, and what to tell of it. */
type MissingService = {
  readonly name: string;
  readonly says: readonly string[];
  readonly sentence: string;
};

/** How well-known actions call the input that takes `github.token` unless the workflow says otherwise. */
const TOKEN_INPUTS = ["token", "github-token", "github_token", "repo-token", "repo_token"];

/** What `@actions/artifact`, `@actions/cache`, `@actions/core` and `@actions/github` say, word for word. */
const SERVICES: readonly MissingService[] = [
  {
    name: "GitHub's cache service",
    says: [
      "Cache Service Url not found",
      "An internal error has occurred in cache backend",
      "The runner was not able to contact the cache service",
      "Cache action is only supported on GHES version",
    ],
    sentence: notYet("GitHub's cache service", "the job goes on without a cache"),
  },
  {
    name: "GitHub's artifact service",
    says: [
      "Unable to get the ACTIONS_RUNTIME_TOKEN env variable",
      "Unable to get the ACTIONS_RESULTS_URL env variable",
      "Unable to get ACTIONS_RUNTIME_TOKEN env variable",
      "Unable to get ACTIONS_RUNTIME_URL env variable",
    ],
    sentence: notYet(
      "GitHub's artifact service",
      "skip the step with an `if:`, or pass files within one job by the workspace and small values between jobs by `outputs`",
    ),
  },
  {
    name: "an OIDC token of GitHub's",
    says: [
      "Unable to get ACTIONS_ID_TOKEN_REQUEST_URL env variable",
      "Unable to get ACTIONS_ID_TOKEN_REQUEST_TOKEN env variable",
    ],
    sentence: notYet(
      "an OIDC token of GitHub's",
      "give the step credentials by a secret, if what it logs in to takes them",
    ),
  },
  {
    name: "a token",
    says: [
      ...TOKEN_INPUTS.map((name) => `Input required and not supplied: ${name}`),
      "Parameter token or opts.auth is required",
    ],
    sentence:
      "This action was given no token for GitHub: `berth run` makes none of its own. Give one with --token or GITHUB_TOKEN; github.token and secrets.GITHUB_TOKEN are that one then.",
  },
];

const LONGEST = Math.max(...SERVICES.flatMap(({ says }) => says).map((text) => text.length));

/** Hears in an action's output which services it asked for in vain. */
export function watchForServices(): {
  hear(chunk: Buffer): void;
  /** Their names, for `explainMissingServices`. */
  readonly found: readonly string[];
} {
  const found = new Set<string>();
  let tail = Buffer.alloc(0);
  return {
    hear(chunk) {
      const text = tail.length > 0 ? Buffer.concat([tail, chunk]) : chunk;
      for (const { name, says } of SERVICES) {
        if (!found.has(name) && says.some((words) => text.includes(words))) found.add(name);
      }
      tail = Buffer.from(text.subarray(Math.max(0, text.length - LONGEST)));
    },
    get found() {
      return [...found];
    },
  };
}

/** A sentence for each. */
export function explainMissingServices(names: readonly string[]): string[] {
  return SERVICES.filter(({ name }) => names.includes(name)).map(({ sentence }) => sentence);
}

function notYet(service: string, remedy: string): string {
  return `This action asks for ${service}, which Berth does not offer yet; ${remedy}.`;
}
