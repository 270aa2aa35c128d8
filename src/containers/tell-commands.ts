import type Docker from "dockerode";
import { reasonOf } from "./engine-error.ts";

/** One request to an engine, as it may be shown: neither bodies nor headers, which hold what jobs keep secret. */
export type EngineCommand = {
  readonly method: string;
  /** With those parameters only that say what it is about: `/containers/create?name=job-1`. */
  readonly path: string;
  /** Of HTTP; `undefined` when there was no answer. */
  readonly status: number | undefined;
  /** Why there was no answer. An engine's own words are left out: they may quote the body. */
  readonly error?: string;
  /** Until the answer was there, or began where it is a stream. */
  readonly ms: number;
};

/** Others may hold secrets, as build arguments do. */
const SHOWN = ["name", "fromImage", "tag", "t", "signal", "condition", "follow", "tail"];
/** To an upgraded connection docker-modem hands out no answer. */
const SWITCHED = 101;

type Answered = (error: Error | null, answer: unknown) => void;
/** What is changed of docker-modem; its types keep this to itself. */
type Modem = {
  dial(options: object, answered: Answered): void;
  buildRequest(
    request: { readonly method: string; readonly path: string },
    ...rest: unknown[]
  ): void;
  buildPayload(...payload: unknown[]): void;
};

/** Has each request that `docker` makes from now on told, once it is answered. */
export function tellCommands(docker: Docker, tell: (command: EngineCommand) => void): void {
  const modem = docker.modem as unknown as Modem;
  const { dial, buildRequest, buildPayload } = modem;

  modem.dial = (options, answered) => {
    const begin = performance.now();
    let command = { method: "", path: "" };
    let status: number | undefined;
    // One of its own for each request: that is how the parts of one are told from those of another.
    const ours: Modem = Object.assign(Object.create(modem) as Modem, {
      buildRequest(...[request, ...rest]: Parameters<Modem["buildRequest"]>) {
        command = { method: request.method, path: shownPath(request.path) };
        buildRequest.call(ours, request, ...rest);
      },
      buildPayload(...payload: unknown[]) {
        status = statusIn(payload[5]);
        buildPayload.apply(ours, payload);
      },
    });
    dial.call(ours, options, (error, answer) => {
      const ms = Math.round(performance.now() - begin);
      const isSilent = error !== null && status === undefined;
      if (isSilent) tell({ ...command, status, error: reasonOf(error), ms });
      else tell({ ...command, status: status ?? SWITCHED, ms });
      answered(error, answer);
    });
  };
}

function shownPath(path: string): string {
  const [bare = "", query = ""] = path.split("?", 2);
  const shown = new URLSearchParams(query);
  for (const name of [...shown.keys()]) if (!SHOWN.includes(name)) shown.delete(name);
  return shown.size === 0 ? bare : `${bare}?${shown}`;
}

function statusIn(response: unknown): number | undefined {
  const hasOne = typeof response === "object" && response !== null && "statusCode" in response;
  return hasOne && typeof response.statusCode === "number" ? response.statusCode : undefined;
}
