import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { rootCertificates } from "node:tls";
import { pack } from "tar-stream";
import type { Engine } from "./containers/connect-engine.ts";
import type { ContainerBasics } from "./containers/container-basics.ts";
import { engineError } from "./containers/engine-error.ts";
import { filledVolume } from "./containers/filled-volume.ts";

/** What jobs need to reach the world outside. */
export type JobNetwork = {
  readonly proxy?:
    | {
        readonly http?: string | undefined;
        readonly https?: string | undefined;
        readonly no: readonly string[];
      }
    | undefined;
  /** Certificates to trust beside the public ones, PEM. */
  readonly ca?: string | undefined;
};

const CA_FOLDER = "/__c";
const CA_FILE = `${CA_FOLDER}/certificates.pem`;
/** Each program has its own; all take a file with every certificate that is trusted. */
const CA_VARIABLES = [
  ...["SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "GIT_SSL_CAINFO"],
  ...["NODE_EXTRA_CA_CERTS", "PIP_CERT", "AWS_CA_BUNDLE", "CARGO_HTTP_CAINFO"],
];

/** Variables under which programs look for a proxy: some in capitals, some not. */
export function proxyVariables(proxy: JobNetwork["proxy"]): { [name: string]: string } {
  if (proxy === undefined) return {};
  const { http, https, no } = proxy;
  const values = { http_proxy: http, https_proxy: https, no_proxy: no.join(",") || undefined };
  const set = Object.entries(values).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  );
  return Object.fromEntries(
    set.flatMap(([name, value]) => [
      [name, value],
      [name.toUpperCase(), value],
    ]),
  );
}

/**
 * The engine's volume with the certificates that jobs trust, the public ones among them; `undefined` where there are none to add.
 *
 * @throws {BerthError} `ENGINE_LOST`, `ENGINE_REFUSED`
 */
export async function certificateVolume(
  { docker }: Engine,
  { ca }: JobNetwork,
  { image, signal }: { readonly image: string; readonly signal: AbortSignal },
): Promise<string | undefined> {
  if (ca === undefined) return undefined;
  const text = `${[...rootCertificates, ca.trim()].join("\n")}\n`;
  const hash = createHash("sha256").update(text).digest("hex").slice(0, 12);
  try {
    return await filledVolume(docker, {
      key: `berth-certificates-${hash}`,
      tar: () => tarOf(text),
      image: () => image,
      fills: () => {},
      signal,
    });
  } catch (error) {
    throw engineError(error, "put certificates into a volume");
  }
}

/** What each container of a job gets to reach the world; `undefined` where that is nothing. */
export function networkBasics(
  { proxy }: JobNetwork,
  volume: string | undefined,
): ContainerBasics | undefined {
  const trusted = volume === undefined ? [] : CA_VARIABLES.map((name) => [name, CA_FILE]);
  const environment = { ...proxyVariables(proxy), ...Object.fromEntries(trusted) };
  if (Object.keys(environment).length === 0) return undefined;
  const volumes = volume === undefined ? [] : [{ source: volume, target: CA_FOLDER }];
  return { environment, volumes };
}

function tarOf(text: string): Readable {
  const tar = pack();
  tar.entry({ name: CA_FILE.slice(CA_FOLDER.length + 1), mode: 0o644 }, text);
  tar.finalize();
  return Readable.from(tar, { objectMode: false });
}
