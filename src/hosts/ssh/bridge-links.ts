import type { ClientChannel } from "ssh2";
import { endProcesses } from "./end-processes.ts";
import { raced } from "./keep-connected.ts";
import type { Link } from "./link.ts";
import { openSession } from "./open-session.ts";

/** Where bridges run. */
export type BridgeLinks = {
  /** Starts a bridge on a connection that has a session to spare. */
  open(command: string, signal: AbortSignal): Promise<{ link: Link; channel: ClientChannel }>;
};

/** Of the ten sessions that a server allows one connection, the rest is for the idle one and for scripts. */
const MOST_BRIDGES = 4;
const MOST_BRIDGES_OF_ITS_OWN = 8;

type Carrier = { readonly link: Link; readonly most: number; used: number };

/**
 * Bridges of one connection. A server bounds the sessions of a connection, and a job keeps its stream for as long as it runs; so what the connection
 * itself cannot take goes over further ones, which end with their last bridge.
 */
export function bridgeLinks(
  main: Link,
  openLink: (signal: AbortSignal) => Promise<Link>,
): BridgeLinks {
  const carriers: Carrier[] = [{ link: main, most: MOST_BRIDGES, used: 0 }];
  let opening: Promise<Carrier> | undefined;

  async function carrierWithRoom(signal: AbortSignal): Promise<Carrier> {
    for (;;) {
      const found = carriers.find(({ link, most, used }) => used < most && !link.lost.aborted);
      if (found !== undefined) {
        found.used += 1;
        return found;
      }
      // Whoever asked first may give up; the others still wait for it.
      opening ??= addCarrier().finally(() => {
        opening = undefined;
      });
      await raced(opening, signal);
    }
  }

  async function addCarrier(): Promise<Carrier> {
    const link = await openLink(main.lost);
    const carrier = { link, most: MOST_BRIDGES_OF_ITS_OWN, used: 0 };
    carriers.push(carrier);
    const far = [...link.processes];
    for (const process of far) main.processes.add(process);
    link.lost.addEventListener("abort", () => {
      carriers.splice(carriers.indexOf(carrier), 1);
      main.lost.removeEventListener("abort", link.close);
      if (main.lost.aborted) return;
      void endProcesses(main, far).then(() => {
        for (const process of far) main.processes.delete(process);
      });
    });
    main.lost.addEventListener("abort", link.close, { once: true });
    return carrier;
  }

  return {
    async open(command, signal) {
      const carrier = await carrierWithRoom(signal);
      const release = () => {
        carrier.used -= 1;
        if (carrier.used === 0 && carrier.link !== main) carrier.link.close();
      };
      try {
        const channel = await openSession(carrier.link, command, signal);
        channel.on("close", release);
        return { link: carrier.link, channel };
      } catch (error) {
        release();
        throw error;
      }
    },
  };
}
