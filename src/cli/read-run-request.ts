import { BerthError } from "../../runner/errors.ts";
import type { LegFilter } from "../../runner/workflow/leg-filter.ts";
import type { LocalAction } from "../github/local-repository.ts";
import { type ImageMap, readImageMap } from "./choose-image.ts";
import { parseEventFile } from "./event/event-payload.ts";
import type { RepositoryFacts } from "./event/read-repository.ts";
import { readLocalActions } from "./read-local-actions.ts";
import {
  checkNames,
  readMatrixFilter,
  readText,
  readValues,
  type Values,
} from "./read-settings.ts";
import type { RunFlags } from "./run-options.ts";
import type { GivenEvent } from "./start-event.ts";

/** All that the flags of `berth run` say about what is run, read and checked. */
export type RunRequest = {
  readonly event: GivenEvent;
  readonly secrets: Values;
  readonly vars: Values;
  readonly env: Values;
  readonly images: ImageMap;
  readonly matrixFilter: LegFilter;
  readonly githubUrl?: string;
  readonly apiUrl?: string;
  /** For the server that actions come from; also a secret. */
  readonly token?: string;
  readonly localActions: readonly LocalAction[];
  /** The real `actions/checkout` even for the repository itself. */
  readonly realCheckout: boolean;
};

/** @throws {BerthError} `USAGE`, `INPUT_INVALID` */
export async function readRunRequest(
  flags: RunFlags,
  {
    facts,
    env,
    cwd,
  }: {
    facts: RepositoryFacts;
    env: { readonly [name: string]: string | undefined };
    cwd: string;
  },
): Promise<RunRequest> {
  const secrets = await readValues(flags.secret, flags.secretFile, {
    flag: "secret",
    fromEnv: env,
  });
  const vars = await readValues(flags.var, flags.varFile, { flag: "var" });
  checkNames("secret", secrets);
  checkNames("variable", vars);
  const token = flags.token ?? secrets.GITHUB_TOKEN ?? env.GITHUB_TOKEN;
  const payload =
    flags.eventFile === undefined
      ? {}
      : parseEventFile(await readText(flags.eventFile, "--event-file"), flags.eventFile);
  return {
    event: {
      name: flags.event,
      payload,
      actor: flags.actor ?? facts.userName,
      inputs: await readValues(flags.input, flags.inputFile, { flag: "input" }),
    },
    secrets: { ...secrets, ...(token ? { GITHUB_TOKEN: token } : {}) },
    vars,
    env: await readValues(flags.env, flags.envFile, { flag: "env" }),
    images: readImageMap(flags.image),
    matrixFilter: readMatrixFilter(flags.matrix),
    ...(flags.githubUrl !== undefined && {
      githubUrl: checkUrl("--github-url", flags.githubUrl),
    }),
    ...(flags.apiUrl !== undefined && { apiUrl: checkUrl("--api-url", flags.apiUrl) }),
    ...(token && { token }),
    localActions: await readLocalActions(flags.localAction, flags.localActionFile, { cwd }),
    realCheckout: flags.realCheckout === true,
  };
}

/** @throws {BerthError} `USAGE` */
export function checkUrl(flag: string, text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "http:" || url?.protocol === "https:") return text;
  throw new BerthError("USAGE", {
    message: `${flag} ${text} is not an address that begins with https:// or http://.`,
    remedy: "Write it as you would into a browser: https://github.example.com.",
  });
}
