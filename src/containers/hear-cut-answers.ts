import { IncomingMessage } from "node:http";
import { buffer } from "node:stream/consumers";
import type Docker from "dockerode";

type Answered = (error: Error | null, answer: unknown) => void;
/** What is changed of docker-modem; its types keep this to itself. */
type Modem = {
  buildRequest(
    request: object,
    context: {
      readonly isStream?: boolean;
      readonly hijack?: boolean;
      readonly openStdin?: boolean;
    },
    data: unknown,
    answered: Answered,
  ): void;
};

/**
 * Has requests of `docker` fail whose answer is cut off. docker-modem waits for ever for the end of an answer that has begun, and an engine begins to answer a
 * `wait` at once.
 */
export function hearCutAnswers(docker: Docker): void {
  const modem = docker.modem as unknown as Modem;
  const { buildRequest } = modem;
  modem.buildRequest = function (this: Modem, request, context, data, answered) {
    const isWhole = !context.isStream && !context.hijack && !context.openStdin;
    const asStream = isWhole ? { ...context, isStream: true } : context;
    buildRequest.call(this, request, asStream, data, (error, answer) => {
      if (!isWhole || error !== null || !(answer instanceof IncomingMessage)) {
        return answered(error, answer);
      }
      buffer(answer).then(
        (body) => answered(null, parsed(body)),
        (cause: Error) => answered(cause, null),
      );
    });
  };
}

/** As docker-modem has it: what is no JSON is bytes. */
function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString()) || body;
  } catch {
    return body;
  }
}
