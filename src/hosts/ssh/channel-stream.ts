import { Duplex } from "node:stream";
import type { ClientChannel } from "ssh2";
import type { Link } from "./link.ts";

/** What a broken connection looks like to whoever reads or writes: to Node's own code, the same as a broken socket. */
export class ConnectionBroken extends Error {
  readonly code = "ECONNRESET";
}

/**
 * A channel of ssh2 as a stream like a socket's: either side can be ended alone, `destroy` closes the channel, and a connection that breaks is an
 * error, where ssh2's own stream just ends as if the far side had finished.
 */
export function channelStream(channel: ClientChannel, link: Link): Duplex {
  const broken = () =>
    new ConnectionBroken("the connection to the machine broke", { cause: link.lost.reason });
  const stream = new Duplex({
    allowHalfOpen: true,
    read: () => void channel.resume(),
    write(chunk: Buffer, _encoding, done) {
      if (link.lost.aborted) done(broken());
      else channel.write(chunk, (error?: Error | null) => done(error));
    },
    final(done) {
      channel.end();
      done();
    },
    destroy(error, done) {
      link.lost.removeEventListener("abort", lose);
      channel.resume(); // what nobody reads any more must not keep the channel open
      channel.close();
      done(error);
    },
  });

  // One that nobody hears would end the process; a stream that is waiting for its next request has no listener.
  stream.on("error", () => {});

  function lose() {
    stream.destroy(broken());
  }
  link.lost.addEventListener("abort", lose, { once: true });

  channel.on("data", (chunk: Buffer) => {
    if (!stream.destroyed && !stream.push(chunk)) channel.pause();
  });
  channel.on("end", () => {
    if (stream.destroyed) return;
    if (link.lost.aborted) lose();
    else stream.push(null);
  });
  channel.on("close", () => {
    if (stream.destroyed) return;
    if (link.lost.aborted) return lose();
    // What is still to be read of it is read; nothing more can be written.
    if (stream.readableEnded) stream.destroy();
    else stream.once("end", () => stream.destroy());
  });
  channel.on("error", (error: Error) => stream.destroy(error));
  if (link.lost.aborted) lose();
  return stream;
}
