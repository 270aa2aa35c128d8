import type { JobDescription } from "./job-description.ts";
import { messageOf } from "./job-end.ts";

/** What a job's token needs from outside. */
type JobTokenSource = {
  /** One that is good now; quick when the last one still is. */
  fresh?: (() => Promise<string>) | undefined;
  /** Those of earlier lives of the job, the newest last. */
  readonly earlier?: readonly string[] | undefined;
  /** Told of every token before it is used. */
  learn(token: string): void;
};

/** `github.token` of a job: the same one throughout, or where its source says so another one when a step begins. */
export class JobToken {
  readonly #source: JobTokenSource;
  readonly #known: string[] = [];
  #volatile: readonly string[] = [];
  #current: string;

  constructor(job: JobDescription, source: JobTokenSource) {
    this.#source = source;
    this.#current = job.secrets.GITHUB_TOKEN ?? "";
    if (source.fresh === undefined) return;
    for (const token of [...(source.earlier ?? []), this.#current]) this.#take(token);
  }

  get current(): string {
    return this.#current;
  }

  /** What differs from life to life in what is typed; nothing where the token stays. */
  get volatile(): readonly string[] {
    return this.#volatile;
  }

  /**
   * Asks for a token that is good now. The last one stays when there is none to be had, for not every step needs it; then the reason is
   * given back.
   *
   * @throws What the source throws, when there is no last one.
   */
  async refresh(): Promise<string | undefined> {
    if (this.#source.fresh === undefined) return undefined;
    try {
      this.#take(await this.#source.fresh());
      return undefined;
    } catch (error) {
      if (this.#current === "") throw error;
      return messageOf(error);
    }
  }

  /** The text with the current token in place of older ones. */
  renew(text: string): string {
    if (this.#known.length < 2) return text;
    return this.#known.reduce((renewed, token) => renewed.replaceAll(token, this.#current), text);
  }

  renewAll(texts: { readonly [name: string]: string }): { readonly [name: string]: string } {
    if (this.#known.length < 2) return texts;
    return Object.fromEntries(
      Object.entries(texts).map(([name, text]) => [name, this.renew(text)]),
    );
  }

  #take(token: string): void {
    if (token === "") return;
    this.#current = token;
    if (this.#known.includes(token)) return;
    this.#known.push(token);
    this.#volatile = this.#known.flatMap((one) => [one, JSON.stringify(one).slice(1, -1)]);
    this.#source.learn(token);
  }
}

/** For the log of a step that has to do with an older token. */
export function noFreshToken(problem: string): string {
  return `No fresh github.token was to be had, so the one before is used: ${problem}`;
}
