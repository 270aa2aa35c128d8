import { Writable } from "node:stream";
import pino from "pino";
import pretty from "pino-pretty";
import { BerthError, textOf } from "../runner/errors.ts";

export type LogLevel = "error" | "warn" | "info" | "debug";

/** What the service says of itself: a constant message plus fields, `log.warn({ job, host }, "lease expired")`. */
export type Log = Pick<pino.Logger, LogLevel>;

/**
 * @param options `mask` sees each line before it is written: it takes the secrets out.
 */
export function createLog(options: {
  readonly level: LogLevel;
  /** For people, or one JSON object a line. */
  readonly format: "text" | "json";
  readonly out: Writable;
  mask(line: string): string;
}): Log {
  const { level, format, out, mask } = options;
  const masked = new Writable({
    decodeStrings: false,
    write(line: string | Buffer, _encoding, done) {
      out.write(mask(line.toString()), () => done());
    },
  });
  const err = level === "debug" ? pino.stdSerializers.err : whyOf;
  const serializers = { err, error: whyOf, cause: whyOf };
  if (format === "json") {
    const timestamp = pino.stdTimeFunctions.isoTime;
    return bound(pino({ level, base: null, timestamp, serializers }, masked));
  }
  const forPeople = pretty({
    colorize: false,
    singleLine: true,
    translateTime: "SYS:HH:MM:ss",
    ignore: "pid,hostname",
    errorLikeObjectKeys: [],
    destination: masked,
  });
  const formatters = level === "debug" ? {} : { log: inOneLine };
  return bound(pino({ level, serializers, formatters }, forPeople));
}

/** What is called `err` would stand on lines of its own, which only a stack needs. */
function inOneLine({ err, ...fields }: { [name: string]: unknown }) {
  return err === undefined ? fields : { ...fields, why: whyOf(err) };
}

/** Without its stack, which is for those who work on Berth. */
function whyOf(error: unknown): unknown {
  const remedy = error instanceof BerthError && error.remedy ? ` ${error.remedy}` : "";
  return `${textOf(error)}${remedy}`;
}

/** Libraries take the functions of a log one by one. */
function bound(logger: pino.Logger): Log {
  return {
    error: logger.error.bind(logger),
    warn: logger.warn.bind(logger),
    info: logger.info.bind(logger),
    debug: logger.debug.bind(logger),
  };
}
