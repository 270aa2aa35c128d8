import type { Dispatcher } from "undici";

/** Where the proxies stand: `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`, in small letters too. */
export type ProxyEnvironment = { readonly [name: string]: string | undefined };

const CONNECT_MS = 15_000;
/** To one server; a workflow may name any number of actions. */
const MAX_CONNECTIONS = 10;

/**
 * Opens connections to GitHub, through the proxies that the environment names. undici is loaded when first needed: most commands ask GitHub nothing.
 *
 * @param options `silenceMs` is how long the server may be silent, in milliseconds.
 */
export async function createAgent({
  env,
  silenceMs,
}: {
  readonly env: ProxyEnvironment;
  readonly silenceMs: number;
}): Promise<Dispatcher> {
  // Its `default`: in a bundle of several files the names of a CommonJS package are not known.
  const { default: undici } = await import("undici");
  return new undici.EnvHttpProxyAgent({
    // An empty string keeps it from looking into this process's environment by itself.
    httpProxy: env.http_proxy ?? env.HTTP_PROXY ?? "",
    httpsProxy: env.https_proxy ?? env.HTTPS_PROXY ?? "",
    noProxy: env.no_proxy ?? env.NO_PROXY ?? "",
    headersTimeout: silenceMs,
    bodyTimeout: silenceMs,
    connect: { timeout: CONNECT_MS },
    connections: MAX_CONNECTIONS,
  });
}
