import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

export type RegistryCredentials = {
  readonly username: string;
  readonly password: string;
  readonly identityToken?: string;
};

const DockerConfig = z.object({
  auths: z
    .record(
      z.string(),
      z.object({
        auth: z.string().optional(),
        username: z.string().optional(),
        password: z.string().optional(),
        identitytoken: z.string().optional(),
      }),
    )
    .optional(),
  credsStore: z.string().optional(),
  credHelpers: z.record(z.string(), z.string()).optional(),
});
const HelperAnswer = z.object({ Username: z.string(), Secret: z.string() });

/** Docker Hub's key in `config.json`, and the address that credentials for it are sent with. */
export const HUB = "https://index.docker.io/v1/";

/** The `X-Registry-Auth` of a pull. */
export function authConfig(
  registry: string,
  { username, password, identityToken }: RegistryCredentials,
): { username: string; password: string; serveraddress: string; identitytoken?: string } {
  const serveraddress = registry === "docker.io" ? HUB : registry;
  return identityToken === undefined
    ? { username, password, serveraddress }
    : { username, password: "", identitytoken: identityToken, serveraddress };
}

/**
 * What `docker login` left for a registry in `config.json` of that folder, credential helpers asked. `undefined` when there is
 * nothing, or nothing readable: the pull then goes without.
 */
export async function storedCredentials(
  registry: string,
  dockerConfigDir: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<RegistryCredentials | undefined> {
  const config = await readConfig(join(dockerConfigDir, "config.json"));
  if (config === undefined) return undefined;

  const key = registry === "docker.io" ? HUB : registry;
  const helper = config.credHelpers?.[registry] ?? config.credHelpers?.[key] ?? config.credsStore;
  const answer = helper === undefined ? undefined : await askHelper(helper, key, env);
  if (answer !== undefined) return answer;

  const entry = Object.entries(config.auths ?? {}).find(([name]) => registryOf(name) === registry);
  if (entry === undefined) return undefined;
  const { auth, username, password, identitytoken } = entry[1];
  const [decodedName = "", ...secret] = Buffer.from(auth ?? "", "base64")
    .toString()
    .split(":");
  const name = username ?? decodedName;
  if (name === "" && identitytoken === undefined) return undefined;
  return {
    username: name,
    password: password ?? secret.join(":").replace(/\0+$/, ""),
    ...(identitytoken !== undefined && { identityToken: identitytoken }),
  };
}

async function readConfig(path: string): Promise<z.infer<typeof DockerConfig> | undefined> {
  try {
    return DockerConfig.parse(JSON.parse(await readFile(path, "utf8")));
  } catch {
    return undefined; // missing or not Docker's: a public image needs none of it
  }
}

function registryOf(key: string): string {
  const name = key.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
  return name === "index.docker.io" || name === "registry-1.docker.io" ? "docker.io" : name;
}

function askHelper(
  helper: string,
  server: string,
  env: NodeJS.ProcessEnv,
): Promise<RegistryCredentials | undefined> {
  return new Promise((resolve) => {
    const child = execFile(`docker-credential-${helper}`, ["get"], { env }, (error, stdout) => {
      const answer = error === null ? parsed(stdout) : undefined;
      if (answer === undefined) resolve(undefined);
      else if (answer.Username !== "<token>") {
        resolve({ username: answer.Username, password: answer.Secret });
      } else resolve({ username: "", password: "", identityToken: answer.Secret });
    });
    child.stdin?.on("error", () => {}); // a helper that is not installed closes it at once
    child.stdin?.end(server);
  });
}

function parsed(stdout: string): z.infer<typeof HelperAnswer> | undefined {
  try {
    return HelperAnswer.parse(JSON.parse(stdout));
  } catch {
    return undefined; // "credentials not found" in words
  }
}
