import { Command } from "commander";
import { BerthError } from "../../runner/errors.ts";
import { makeKeyFile } from "../store/secret-key.ts";
import { type SecretScope, secretName } from "../store/secret-scope.ts";
import { openSecretStore, type SecretEntry, type SecretStore } from "../store/secret-store.ts";
import { readSecretValue } from "./read-secret-value.ts";
import { storeOfConfig } from "./store-of-config.ts";
import { alignedTable } from "./view/aligned-table.ts";

type ScopeFlags = {
  readonly config?: string;
  readonly repo?: string;
  readonly org?: string;
  readonly env?: string;
};
type SetFlags = ScopeFlags & { readonly valueFile?: string };
type ListFlags = { readonly config?: string; readonly json?: true };

/** `berth secret set|ls|rm|key`: the secrets that jobs of the service get. */
export function secretCommand(signal: AbortSignal): Command {
  const command = new Command("secret")
    .description(
      "The secrets that jobs of the service get. They are encrypted where they are kept.",
    )
    .addHelpText("after", "\nExample:\n  berth secret set TOKEN --repo acme/app < token.txt");
  withScope(command.command("set"))
    .description("Keep a secret, or give it another value. The value comes on standard input.")
    .argument("<name>", "its name, as in secrets.NAME")
    .option("--value-file <file>", "take the value from a file")
    .addHelpText("after", "\nExample:\n  berth secret set TOKEN --repo acme/app --env production")
    .action((name: string, flags: SetFlags) => set(name, flags, signal));
  command
    .command("ls")
    .description("List names and scopes; no value is ever shown.")
    .option("-c, --config <file>", "the service's configuration")
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nExample:\n  berth secret ls")
    .action(list);
  withScope(command.command("rm"))
    .description("Remove a secret.")
    .argument("<name>", "its name")
    .addHelpText("after", "\nExample:\n  berth secret rm TOKEN --org acme")
    .action(remove);
  command
    .command("key")
    .description("Make a file with a new key, for secretKeyFile in berth.yml. Overwrites nothing.")
    .argument("<file>", "the file to make; readable by you only")
    .addHelpText("after", "\nExample:\n  berth secret key /etc/berth/secret-key")
    .action(async (file: string) => {
      await makeKeyFile(file);
      process.stdout.write(`Wrote ${file}. Name it in berth.yml: secretKeyFile: ${file}\n`);
    });
  return command;
}

function withScope(command: Command): Command {
  return command
    .option("--repo <owner/name>", "for this repository")
    .option("--org <name>", "for all repositories of this organisation or user")
    .option("--env <name>", "only for jobs with this environment, with --repo")
    .option("-c, --config <file>", "the service's configuration");
}

async function set(name: string, flags: SetFlags, signal: AbortSignal): Promise<void> {
  const scope = scopeFrom(flags);
  const upper = secretName(name);
  await using secrets = await openSecrets(flags.config);
  const value = await readSecretValue(upper, { file: flags.valueFile, signal });
  await secrets.set(scope, upper, value);
  process.stdout.write(`Set ${upper} for ${describeScope(scope)}.\n`);
}

async function list({ config, json }: ListFlags): Promise<void> {
  await using secrets = await openSecrets(config);
  const entries = await secrets.list();
  process.stdout.write(json ? asJson(entries) : asTable(entries));
}

async function remove(name: string, flags: ScopeFlags): Promise<void> {
  const scope = scopeFrom(flags);
  await using secrets = await openSecrets(flags.config);
  if (!(await secrets.remove(scope, name))) {
    throw new BerthError("USAGE", {
      message: `There is no secret ${name} for ${describeScope(scope)}.`,
      remedy: "berth secret ls says which there are.",
    });
  }
  process.stdout.write(`Removed ${name.toUpperCase()} for ${describeScope(scope)}.\n`);
}

async function openSecrets(config: string | undefined): Promise<SecretStore> {
  const { file, folder, secretKeyFile } = storeOfConfig(config);
  if (secretKeyFile !== undefined) return await openSecretStore(folder, secretKeyFile);
  throw new BerthError("CONFIG_INVALID", {
    message: `${file} has no secretKeyFile, the file with the key that encrypts secrets.`,
    remedy: "Make one with: berth secret key secret-key   and add to it: secretKeyFile: secret-key",
  });
}

function scopeFrom({ repo, org, env }: ScopeFlags): SecretScope {
  if (repo !== undefined && org === undefined) return { repository: repo, environment: env };
  if (org !== undefined && repo === undefined && env === undefined) return { organisation: org };
  throw new BerthError("USAGE", {
    message:
      "A secret is for a repository or for an organisation; environments are a repository's.",
    remedy: "Add --repo OWNER/NAME, with --env NAME where wanted, or --org NAME.",
  });
}

function describeScope(scope: SecretScope): string {
  if ("organisation" in scope) return scope.organisation;
  const { repository, environment } = scope;
  return environment === undefined ? repository : `${repository}, environment ${environment}`;
}

function asJson(entries: readonly SecretEntry[]): string {
  const secrets = entries.map(({ name, scope, setAtMs }) => ({
    name,
    ...scope,
    setAt: new Date(setAtMs).toISOString(),
  }));
  return `${JSON.stringify({ secrets }, null, 2)}\n`;
}

function asTable(entries: readonly SecretEntry[]): string {
  if (entries.length === 0) return "There are no secrets.\n";
  const rows = entries.map(({ name, scope, setAtMs }) => [
    name,
    describeScope(scope),
    new Date(setAtMs).toISOString().slice(0, 10),
  ]);
  return alignedTable([["NAME", "FOR", "SET"], ...rows]);
}
