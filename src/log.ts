import { Writable } from "node:stream";
import pino from "pino";
import pretty from "pino-pretty";

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
  if (format === "json") {
    return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, masked);
  }
  const forPeople = pretty({
    colorize: false,
    singleLine: true,
    translateTime: "SYS:HH:MM:ss",
    ignore: "pid,hostname",
    destination: masked,
  });
  return pino({ level }, forPeople);
}
