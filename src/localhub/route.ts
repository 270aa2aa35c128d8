import type { z } from "zod";
import type { Json } from "../../runner/expressions/template.ts";
import { type Credential, findRepository, type Hub, type Repository } from "./hub.ts";
import { invalidRequest, notFound } from "./refusal.ts";

/** A request that has found its endpoint and may use it. */
export type Call = {
  readonly hub: Hub;
  readonly credential: Credential;
  readonly params: { readonly [name: string]: string };
  readonly query: URLSearchParams;
  /** Parsed JSON; `undefined` without a body. */
  readonly body: unknown;
  readonly accept: string;
  /** The path and query as asked for. */
  readonly url: URL;
};

/** What an endpoint answers. */
export type Reply = {
  readonly status: number;
  readonly body?: Json;
  /** In place of `body`: bytes as they are. */
  readonly raw?: { readonly type: string; readonly bytes: Buffer };
  readonly headers?: { readonly [name: string]: string };
};

/** Who may use an endpoint. `permission` is one of the App's, for installation tokens. */
export type Access =
  | { readonly for: "anyone" }
  | { readonly for: "app" }
  | { readonly for: "installation" }
  | {
      readonly for: "repository";
      readonly permission: string;
      readonly level: "read" | "write";
    };

export type Route = {
  readonly method: string;
  /** `:name` is one segment, `*name` the rest. */
  readonly path: string;
  readonly access: Access;
  handle(call: Call): Reply | Promise<Reply>;
};

export function ok(body: Json): Reply {
  return { status: 200, body };
}

/** The repository that the path names; the door has checked that the caller may know of it. */
export function repositoryOf({ hub, params }: Call): Repository {
  const repository = findRepository(hub, `${params.owner}/${params.repo}`);
  if (!repository) throw notFound();
  return repository;
}

/** The number in the path that is the id of something of this repository. */
export function findById<Thing extends { readonly repository: Repository }>(
  call: Call,
  things: ReadonlyMap<number, Thing>,
  name = "id",
): Thing {
  const thing = things.get(Number(call.params[name]));
  if (!thing || thing.repository !== repositoryOf(call)) throw notFound();
  return thing;
}

/**
 * A body as its schema describes it.
 *
 * @throws {Refusal} 422 with every problem, worded as GitHub does for the commonest.
 */
export function readBody<Schema extends z.ZodType>(call: Call, schema: Schema): z.infer<Schema> {
  const parsed = schema.safeParse(call.body ?? {}, { reportInput: true });
  if (parsed.success) return parsed.data;
  throw invalidRequest(parsed.error.issues.map(explain));
}

function explain(issue: z.core.$ZodIssue): string {
  const name = issue.path.join("/");
  switch (issue.code) {
    case "too_big": {
      const size = Array.isArray(issue.input) || typeof issue.input === "string";
      const supplied = size ? (issue.input as string).length : String(issue.input);
      const what = Array.isArray(issue.input) ? "items are" : "characters are";
      return `For '${name}', no more than ${issue.maximum} ${what} allowed; ${supplied} were supplied.`;
    }
    case "invalid_value":
      if (issue.input !== undefined) {
        return `For '${name}', ${JSON.stringify(issue.input)} is not a member of ${JSON.stringify(issue.values)}.`;
      }
      return `"${name}" wasn't supplied.`;
    case "invalid_type":
      if (issue.input === undefined) return `"${name}" wasn't supplied.`;
      return `For '${name}', ${JSON.stringify(issue.input)} is not ${issue.expected === "array" ? "an" : "a"} ${issue.expected}.`;
    default:
      return name ? `For '${name}', ${issue.message}` : issue.message;
  }
}
