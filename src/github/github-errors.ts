import type { Readable } from "node:stream";
import { BerthError } from "../../runner/errors.ts";
import type { Answer, Limit } from "./rate-limit.ts";

const MAX_SAID_BYTES = 16 * 1024;
const MAX_QUOTED_LENGTH = 200;

export type BadAnswer = Answer & {
  readonly limit: Limit | undefined;
  readonly hasToken: boolean;
  readonly what: string;
  readonly url: URL;
};

/** What an answer that is neither good nor "there is no such thing" means. */
export function describeAnswer(answer: BadAnswer): BerthError {
  const { statusCode, limit, said, what, url } = answer;
  const refused = `${what}: ${bareUrl(url)} answered ${statusCode}`;
  const words = said === "" ? "." : `: ${endSentence(said)}`;
  if (limit !== undefined) return limited(answer, limit);
  if (statusCode === 401) {
    return new BerthError("ACTION_FETCH_FAILED", {
      message: `${refused}, so it does not take the token${words}`,
      remedy: "Give a valid one with --token or GITHUB_TOKEN; public actions need none.",
    });
  }
  if (statusCode === 407) return proxyRefused(what, url);
  if (statusCode === 403) return forbidden(answer, refused + words);
  const isServers = statusCode >= 500;
  return new BerthError("ACTION_FETCH_FAILED", {
    message: refused + words,
    remedy: isServers
      ? "That is the server's own trouble; try again later."
      : "Check that --github-url or --api-url names a GitHub server.",
  });
}

function limited({ hasToken, what, url, statusCode }: BadAnswer, { waitMs }: Limit): BerthError {
  const until = new Date(Date.now() + waitMs).toISOString().replace(/\.\d+Z$/, "Z");
  const who = statusCode === 503 ? "is too busy" : "limits how often it is asked";
  return new BerthError("ACTION_FETCH_FAILED", {
    message: `${what}: ${url.origin} ${who} and will answer again at ${until} (${statusCode}).`,
    remedy: hasToken
      ? "Wait until then."
      : "Wait until then, or give a token with --token or GITHUB_TOKEN: that allows many more requests.",
  });
}

function forbidden({ hasToken, headers }: BadAnswer, message: string): BerthError {
  const needsSso = headers["x-github-sso"] !== undefined;
  const remedy = needsSso
    ? "Authorize the token for the organization's single sign-on."
    : hasToken
      ? "Give a token that may read the contents of this repository."
      : "Give a token that may read it, with --token or GITHUB_TOKEN.";
  return new BerthError("ACTION_FETCH_FAILED", { message, remedy });
}

function proxyRefused(what: string, url: URL, cause?: unknown): BerthError {
  return new BerthError("ACTION_FETCH_FAILED", {
    message: `${what}: the proxy on the way to ${url.origin} wants a name and a password.`,
    remedy: "Put them into HTTPS_PROXY: http://name:password@host:port.",
    cause,
  });
}

/** What kept an answer from coming, or from coming whole. */
export function describeFailure(
  cause: unknown,
  { what, url }: { readonly what: string; readonly url: URL },
): BerthError {
  const first = rootOf(cause);
  const code = String(first.code ?? "");
  if (/\b407\b/.test(first.message)) return proxyRefused(what, url, cause);
  const { why, remedy = CHECK_NETWORK } = explain(code, first, url);
  return new BerthError("ACTION_FETCH_FAILED", {
    message: `${what}: ${bareUrl(url)} ${why}.`,
    remedy,
    cause,
  });
}

const CHECK_NETWORK =
  "Check the network and HTTPS_PROXY; without a network, give the action's folder with --local-action.";

/** Why no answer came, to follow an address; a remedy where it is another than to look at the network. */
export function explainSilence(
  cause: unknown,
  url: URL,
): { readonly why: string; readonly remedy?: string } {
  const first = rootOf(cause);
  return explain(String(first.code ?? ""), first, url);
}

function explain(code: string, cause: Failure, url: URL): { why: string; remedy?: string } {
  switch (code) {
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return { why: `cannot be reached: nobody knows the name ${nameOf(cause, url)}` };
    case "ECONNREFUSED":
      return { why: "cannot be reached: nothing listens there" };
    case "UND_ERR_CONNECT_TIMEOUT":
    case "ETIMEDOUT":
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return { why: "cannot be reached: there is no way to it" };
    case "UND_ERR_HEADERS_TIMEOUT":
    case "UND_ERR_BODY_TIMEOUT":
      return { why: "fell silent" };
    case "ECONNRESET":
    case "UND_ERR_SOCKET":
    case "UND_ERR_RES_CONTENT_LENGTH_MISMATCH":
    case "HPE_INVALID_EOF_STATE":
      return { why: "broke off" };
    default:
      break;
  }
  if (/CERT|SIGNATURE|TLS|SSL/.test(code)) {
    return {
      why: `has a certificate that is not trusted: ${oneLine(cause.message)}`,
      remedy:
        "If it is your own authority's, name its file in NODE_EXTRA_CA_CERTS; else somebody is in between.",
    };
  }
  return { why: `sent what cannot be used: ${oneLine(cause.message)}` };
}

/** Which name it was: the proxy's, where there is one. */
function nameOf({ hostname }: Failure, url: URL): string {
  return typeof hostname === "string" ? hostname : url.hostname;
}

type Failure = { readonly message: string; readonly code?: unknown; readonly hostname?: unknown };

/** Several addresses that were tried in vain come as one error; the innermost cause says what happened. */
function rootOf(error: unknown): Failure {
  if (!isFailure(error)) return { message: String(error) };
  if ("errors" in error && Array.isArray(error.errors) && error.errors.length > 0) {
    return rootOf(error.errors[0]);
  }
  return "cause" in error && isFailure(error.cause) && !("code" in error)
    ? rootOf(error.cause)
    : error;
}

/** By its shape: errors of Node's own may come from another realm. */
function isFailure(error: unknown): error is Failure {
  return (
    typeof error === "object" &&
    error !== null &&
    "message" in error &&
    typeof error.message === "string"
  );
}

/** An address for a message: what follows the path may be a secret, and so may what stands before the host. */
export function bareUrl({ origin, pathname }: URL): string {
  return origin + pathname;
}

/** What an answer says: the `message` of GitHub's JSON, else the start of the text. */
export async function readStart(body: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= MAX_SAID_BYTES) break;
  }
  const text = Buffer.concat(chunks).toString();
  return oneLine(messageIn(text) ?? text);
}

function messageIn(text: string): string | undefined {
  try {
    const { message } = JSON.parse(text);
    return typeof message === "string" ? message : undefined;
  } catch {
    return undefined; // a proxy's page, most likely: its text is what there is to say
  }
}

export function oneLine(text: string): string {
  return text
    .replace(/[\s\p{Cc}]+/gu, " ")
    .trim()
    .slice(0, MAX_QUOTED_LENGTH);
}

export function endSentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
