import { z } from "zod";
import { BerthError, textOf } from "../../runner/errors.ts";
import { bareUrl, endSentence, explainSilence, oneLine } from "./github-errors.ts";
import { limitOf } from "./rate-limit.ts";

/** Who asked what. */
export type Asked = {
  /** `Creating the check run "Berth / build" in octo/hello`. */
  readonly what: string;
  readonly apiUrl: string;
  readonly appId: number;
  readonly installationId?: number | undefined;
};

const Answered = z.object({
  status: z.number(),
  response: z.object({
    url: z.string(),
    headers: z.record(z.string(), z.union([z.string(), z.number()]).optional()),
    data: z.unknown(),
  }),
});
const Message = z.object({ message: z.string(), errors: z.array(z.unknown()).optional() });

type Words = { readonly message: string; readonly remedy?: string | undefined };

/**
 * What an error of Octokit's means, as a `BerthError` `GITHUB_REFUSED` or `GITHUB_UNREACHABLE`. It keeps nothing of the request: headers and bodies of some
 * hold tokens.
 */
export function describeRefusal(error: unknown, asked: Asked): BerthError {
  if (error instanceof BerthError) return error;
  const answered = Answered.safeParse(error);
  if (!answered.success) return describeSilence(error, asked);
  const { status, response } = answered.data;
  const said = wordsOf(response.data);
  const headers = Object.fromEntries(
    Object.entries(response.headers).map(([name, value]) => [name, String(value)]),
  );
  const limit = limitOf({ statusCode: status, headers, said }, Date.now());
  const message = `${asked.what}: ${asked.apiUrl} answered ${status}${said === "" ? "." : `: ${endSentence(said)}`}`;
  if (limit !== undefined) return limited(asked, { status, waitMs: limit.waitMs });
  if (status >= 500 || status === 408) {
    const remedy = "That is the server's own trouble; try again later.";
    return new BerthError("GITHUB_UNREACHABLE", { message, remedy });
  }
  const path = URL.canParse(response.url) ? new URL(response.url).pathname : "";
  const remedy = remedyOf({ status, said, headers, path }, asked);
  return new BerthError("GITHUB_REFUSED", { message, remedy });
}

function describeSilence(error: unknown, { what, apiUrl }: Asked): BerthError {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const url = new URL(apiUrl);
  const { why, remedy = "Check the network, HTTPS_PROXY, and github.apiUrl in berth.yml." } =
    explainSilence(cause, url);
  const message = `${what}: ${bareUrl(url)} ${why}.`;
  return new BerthError("GITHUB_UNREACHABLE", { message, remedy, cause: new Error(textOf(cause)) });
}

function limited(asked: Asked, { status, waitMs }: { status: number; waitMs: number }): BerthError {
  const until = new Date(Date.now() + waitMs).toISOString().replace(/\.\d+Z$/, "Z");
  return new BerthError("GITHUB_UNREACHABLE", {
    message: `${asked.what}: ${asked.apiUrl} limits how often it is asked and will answer again at ${until} (${status}).`,
    remedy: "Wait until then.",
  });
}

type Refusal = {
  readonly status: number;
  readonly said: string;
  readonly headers: { readonly [name: string]: string };
  readonly path: string;
};

function remedyOf(refusal: Refusal, asked: Asked): Words["remedy"] {
  const { status, said, path } = refusal;
  const isAboutToken = /\/access_tokens$/.test(path);
  switch (status) {
    case 401:
      return remedyOf401(said, asked);
    case 403:
      return remedyOf403(refusal);
    case 404:
      if (/^Integration not found/.test(said)) {
        return `No App has the ID ${asked.appId} on this server. Check github.app.id and github.apiUrl in berth.yml.`;
      }
      return isAboutToken
        ? `There is no installation ${asked.installationId ?? ""} of this App. Install the App on the account whose jobs it shall run.`
        : "It is not there, or the App may not see it: look at the repositories that the App's installation covers.";
    case 422:
      return isAboutToken
        ? "Look at the repositories and permissions that the App's installation covers."
        : undefined;
    default:
      return undefined;
  }
}

function remedyOf401(said: string, { appId }: Asked): string {
  if (/\((?:'exp'|'iat'|exp|iat)\)/.test(said)) {
    return "The App's requests carry the time: set this machine's clock right.";
  }
  if (/JSON web token|JWT|Integration/i.test(said)) {
    return `The private key is not one of App ${appId}. Check github.app in berth.yml; make a new key on the App's page if this one was deleted there.`;
  }
  return "The App's token is not valid any more: look whether its installation is suspended or its key was deleted.";
}

function remedyOf403({ said, headers }: Refusal): string | undefined {
  const accepted = headers["x-accepted-github-permissions"];
  if (/not accessible by integration/i.test(said) || accepted !== undefined) {
    const which = accepted === undefined ? "the permission for this" : permissionsIn(accepted);
    return `Give the App ${which} on its page under "Permissions & events", then accept that where it is installed.`;
  }
  return /suspended/i.test(said)
    ? "The App's installation is suspended: whoever installed the App can unsuspend it."
    : undefined;
}

/** `checks=write; contents=read,actions=read`: alternatives, each of which may be several. */
function permissionsIn(header: string): string {
  const ways = header
    .split(";")
    .map((way) => way.trim().replaceAll("=", ": ").replace(/,\s*/g, " and "));
  return oneLine(ways.join(", or "));
}

function wordsOf(data: unknown): string {
  const { data: body } = Message.safeParse(data);
  if (body === undefined) return typeof data === "string" ? oneLine(data) : "";
  const errors = (body.errors ?? []).map((one) =>
    typeof one === "string" ? one : (Message.safeParse(one).data?.message ?? JSON.stringify(one)),
  );
  return oneLine([body.message, ...errors].join(" "));
}
