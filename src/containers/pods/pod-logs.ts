import type { Duplex } from "node:stream";
import { finished } from "node:stream/promises";
import { demultiplexer } from "../demultiplex.ts";
import { engineError } from "../engine-error.ts";
import type { FoundPod } from "./list-pods.ts";

export type PodLogsOptions = {
  readonly follow: boolean;
  /** Lines from its end; all when left out. */
  readonly tail?: number | undefined;
  readonly signal: AbortSignal;
};

/**
 * Hands on what a pod printed, and with `follow` what it prints until it ends.
 *
 * @throws {BerthError} `ENGINE_LOST`, `ENGINE_REFUSED`
 */
export async function podLogs(
  { pod, engine }: FoundPod,
  { follow, tail, signal }: PodLogsOptions,
  write: (data: Buffer, stream: "stdout" | "stderr") => void,
): Promise<void> {
  const container = engine.docker.getContainer(pod.id);
  const options = { stdout: true, stderr: true, ...(tail !== undefined && { tail }) };
  try {
    const { Config: config } = await container.inspect();
    const pieces = demultiplexer();
    const hear = (chunk: Buffer) => {
      if (config.Tty) write(chunk, "stdout");
      else for (const { stream, data } of pieces(chunk)) write(data, stream);
    };
    if (!follow) {
      hear(await container.logs({ ...options, follow: false }));
      return;
    }
    const stream = (await container.logs({ ...options, follow: true })) as unknown as Duplex;
    const stop = () => stream.destroy();
    signal.addEventListener("abort", stop, { once: true });
    stream.on("data", hear);
    await finished(stream, { writable: false }).finally(stop);
  } catch (error) {
    signal.throwIfAborted();
    throw engineError(error, `read what ${pod.name} printed`);
  }
}
