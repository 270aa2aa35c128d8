import type { Json } from "../../runner/expressions/template.ts";

/** A request that is answered with an error, as GitHub words it. */
export class Refusal extends Error {
  readonly status: number;
  readonly errors: Json | undefined;
  readonly headers: { readonly [name: string]: string };

  constructor(
    status: number,
    message: string,
    {
      errors,
      headers = {},
    }: { readonly errors?: Json; readonly headers?: { readonly [name: string]: string } } = {},
  ) {
    super(message);
    this.status = status;
    this.errors = errors;
    this.headers = headers;
  }
}

export function notFound(): Refusal {
  return new Refusal(404, "Not Found");
}

/** GitHub's answer to a body that has the wrong shape: each sentence names a field and what is wrong with it. */
export function invalidRequest(sentences: readonly string[]): Refusal {
  return new Refusal(422, `Invalid request.\n\n${sentences.join("\n")}`);
}
