import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

const Config = z.object({ currentContext: z.string().optional() });
const Meta = z.object({
  Name: z.string(),
  Endpoints: z.object({
    docker: z.object({ Host: z.string().optional(), SkipTLSVerify: z.boolean().optional() }),
  }),
});

/** Where a docker context leads to. */
export type ContextEndpoint = {
  readonly name: string;
  readonly host: string;
  /** Folder with `ca.pem`, `cert.pem`, `key.pem`, which need not exist. */
  readonly certificates: string;
  readonly skipVerify: boolean;
};

/**
 * The docker context in use: `DOCKER_CONTEXT`, else the one that `docker context use` chose. `undefined` for the default one, which
 * is the socket that is looked for anyway.
 *
 * @throws {Error} when the context that was chosen cannot be read.
 */
export async function currentContext(
  dockerConfigDir: string,
  env: { readonly [name: string]: string | undefined },
): Promise<ContextEndpoint | undefined> {
  const name = env.DOCKER_CONTEXT || (await chosenContext(dockerConfigDir));
  if (name === undefined || name === "" || name === "default") return undefined;

  const id = createHash("sha256").update(name).digest("hex");
  const file = join(dockerConfigDir, "contexts", "meta", id, "meta.json");
  const meta = Meta.parse(JSON.parse(await readFile(file, "utf8")));
  return {
    name,
    host: meta.Endpoints.docker.Host ?? "",
    certificates: join(dockerConfigDir, "contexts", "tls", id, "docker"),
    skipVerify: meta.Endpoints.docker.SkipTLSVerify ?? false,
  };
}

async function chosenContext(dockerConfigDir: string): Promise<string | undefined> {
  try {
    const text = await readFile(join(dockerConfigDir, "config.json"), "utf8");
    return Config.parse(JSON.parse(text)).currentContext;
  } catch {
    return undefined; // no configuration, or none that Docker itself could read: the default context
  }
}
