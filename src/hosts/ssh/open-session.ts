import type { ClientChannel } from "ssh2";
import type { Link } from "./link.ts";

/** One line that any login shell takes as it stands, fish and csh too: no `'`, `\`, `!` and line breaks, since those mean something else in each. */
export function asOneWord(text: string): string {
  if (/['\\!\n\r\0]/.test(text)) throw new Error(`not a word for every shell: ${text}`);
  return `'${text}'`;
}

/** Starts a command on the machine. */
export function openSession(
  link: Link,
  command: string,
  signal: AbortSignal,
): Promise<ClientChannel> {
  return opened(link, signal, (done) => link.client.exec(command, done));
}

/** A channel to a unix socket of the machine. sshd says of each failure only that it failed. */
export function openForwarding(
  link: Link,
  socketPath: string,
  signal: AbortSignal,
): Promise<ClientChannel> {
  return opened(link, signal, (done) =>
    link.client.openssh_forwardOutStreamLocal(socketPath, done),
  );
}

/** What ssh2 opens, for as long as somebody waits for it. */
export function opened(
  { lost }: Pick<Link, "lost">,
  signal: AbortSignal,
  open: (done: (error: Error | undefined, channel: ClientChannel) => void) => void,
): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    const given = AbortSignal.any([signal, lost]);
    if (given.aborted) return reject(given.reason);
    const giveUp = () => reject(given.reason);
    given.addEventListener("abort", giveUp, { once: true });
    open((error, channel) => {
      given.removeEventListener("abort", giveUp);
      if (error !== undefined && error !== null) return reject(error);
      if (given.aborted)
        channel.close(); // nobody waits for it any more
      else resolve(channel);
    });
  });
}
