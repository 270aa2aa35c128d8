import type { AppFacts, InstallationFacts, WebhookFacts } from "./open-github-app.ts";

/** What GitHub knows of the App, and what Berth's configuration makes of it. */
export type AppState = {
  readonly app: AppFacts;
  readonly installations: readonly InstallationFacts[];
  readonly webhook: WebhookFacts | undefined;
  readonly serverUrl: string;
  readonly intake: "webhook" | "poll";
};

export type AppProblem = { readonly message: string; readonly remedy: string };

export type AppFindings = {
  /** What keeps Berth from working. */
  readonly problems: readonly AppProblem[];
  /** What some will miss. */
  readonly notes: readonly string[];
};

const PERMISSIONS = {
  actions: "write",
  checks: "write",
  contents: "read",
  metadata: "read",
  pull_requests: "read",
} as const;
/**
 * Not among them: `installation` and `installation_repositories`, which every App gets, and `check_run` and `check_suite`, which GitHub sends to every App that may
 * write checks.
 */
const EVENTS = [
  "workflow_job",
  "workflow_run",
  "push",
  "pull_request",
  "workflow_dispatch",
  "release",
];
const HOOK_PATH = "/webhooks/github";
const LEVELS = ["none", "read", "write", "admin"];

/** Compares the App, as GitHub has it, with what Berth needs. */
export function checkApp(state: AppState): AppFindings {
  const { app, installations, serverUrl } = state;
  const page = pageOf(state);
  const lacking = lackingIn(app.permissions);
  const unheard = EVENTS.filter((event) => !app.events.includes(event));
  const problems: AppProblem[] = [];
  if (lacking.length > 0) {
    problems.push({
      message: `The App lacks ${lacking.join(", ")}.`,
      remedy: `Add this at ${page}/permissions, then accept it where the App is installed.`,
    });
  }
  if (unheard.length > 0) {
    problems.push({
      message: `The App does not hear of ${unheard.join(", ")}.`,
      remedy: `Tick these under "Subscribe to events" at ${page}/permissions.`,
    });
  }
  problems.push(...webhookProblems(state, page));
  if (installations.length === 0) {
    problems.push({
      message: "The App is installed nowhere.",
      remedy: `Install it at ${serverUrl}/apps/${app.slug}/installations/new.`,
    });
  }
  for (const installation of installations) {
    problems.push(...installationProblems(installation, lacking));
  }
  return { problems, notes: notesOf(state) };
}

function webhookProblems({ webhook, intake }: AppState, page: string): AppProblem[] {
  if (webhook === undefined || webhook.url === "") {
    const needed =
      intake === "poll"
        ? "GitHub keeps no deliveries to ask for unless there is one: any address that is yours will do"
        : `its address ends in ${HOOK_PATH}`;
    return [
      {
        message: "The App has no webhook.",
        remedy: `Make it active at ${page}; ${needed}.`,
      },
    ];
  }
  const problems: AppProblem[] = [];
  const at = `Change it at ${page}.`;
  if (!webhook.isJson) {
    problems.push({ message: "The App's webhook does not send JSON.", remedy: at });
  }
  if (intake === "poll") return problems;
  const path = URL.canParse(webhook.url) ? new URL(webhook.url).pathname : "";
  if (!path.endsWith(HOOK_PATH)) {
    problems.push({
      message: `The App's webhook goes to ${webhook.url}, and Berth listens at ${HOOK_PATH}.`,
      remedy: at,
    });
  }
  if (!webhook.hasSecret) {
    problems.push({
      message: "The App's webhook has no secret, so Berth refuses what it sends.",
      remedy: `Put the one of berth.yml there: ${page}.`,
    });
  }
  if (!webhook.checksTls) {
    problems.push({
      message: "The App's webhook does not check the certificate of its address.",
      remedy: `Switch SSL verification on at ${page}.`,
    });
  }
  return problems;
}

/** What the App lacks itself is told once. */
function installationProblems(
  { account, permissions, isSuspended }: InstallationFacts,
  told: readonly string[],
): AppProblem[] {
  if (isSuspended) {
    return [
      {
        message: `The installation on ${account} is suspended.`,
        remedy: "Whoever installed the App can unsuspend it, or uninstall it.",
      },
    ];
  }
  const lacking = lackingIn(permissions).filter((one) => !told.includes(one));
  if (lacking.length === 0) return [];
  return [
    {
      message: `${account} has not granted ${lacking.join(", ")} to the App yet.`,
      remedy: `An owner of ${account} accepts the App's new permissions in the settings, under "GitHub Apps".`,
    },
  ];
}

function notesOf({ app }: AppState): string[] {
  return lacks(app.permissions, "actions_variables", "read")
    ? ["Without actions_variables: read the vars context of jobs is empty."]
    : [];
}

function lackingIn(granted: AppFacts["permissions"]): string[] {
  return Object.entries(PERMISSIONS)
    .filter(([name, level]) => lacks(granted, name, level))
    .map(([name, level]) => `${name}: ${level}`);
}

function lacks(granted: AppFacts["permissions"], name: string, level: string): boolean {
  return LEVELS.indexOf(granted[name] ?? "none") < LEVELS.indexOf(level);
}

function pageOf({ app, serverUrl }: AppState): string {
  const whose = app.isOrganizations ? `organizations/${app.owner}/settings` : "settings";
  return `${serverUrl}/${whose}/apps/${app.slug}`;
}
