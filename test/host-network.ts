import { randomInt } from "node:crypto";
import type Docker from "dockerode";
import { OWNER_LABEL } from "../src/containers/labels.ts";
import { thisOwner } from "../src/containers/owner.ts";
import { removeNetwork } from "../src/containers/remove-objects.ts";

/** A place in a network; whoever has it keeps its address, also while it is off. */
export type HostAddress = AsyncDisposable & {
  readonly networkId: string;
  readonly address: string;
};

const TRIES = 5;

/** The network of all host machines of one process; it is there as long as one of them is. */
export class HostNetwork {
  readonly #label: string;
  #network: Promise<{ id: string; prefix: string }> | undefined;
  #inUse = 0;
  #lastAddress = 1; // the gateway's

  /** `label` marks the network, for whoever removes what a killed process left. */
  constructor(label: string) {
    this.#label = label;
  }

  async join(docker: Docker): Promise<HostAddress> {
    this.#inUse += 1;
    this.#network ??= createNetwork(docker, this.#label);
    const { id, prefix } = await this.#network;
    this.#lastAddress += 1;
    return {
      networkId: id,
      address: `${prefix}.${this.#lastAddress}`,
      [Symbol.asyncDispose]: async () => {
        this.#inUse -= 1;
        if (this.#inUse > 0) return;
        this.#network = undefined;
        await removeNetwork(docker, id);
      },
    };
  }
}

async function createNetwork(
  docker: Docker,
  label: string,
): Promise<{ id: string; prefix: string }> {
  for (let attempt = 1; ; attempt++) {
    const prefix = `10.${randomInt(64, 128)}.${randomInt(0, 256)}`;
    try {
      const network = await docker.createNetwork({
        Name: `berth-test-hosts-${prefix}`,
        // An address can only be asked for where the range was given.
        IPAM: { Driver: "default", Config: [{ Subnet: `${prefix}.0/24`, Gateway: `${prefix}.1` }] },
        Labels: { [label]: "", [OWNER_LABEL]: thisOwner() },
      });
      return { id: network.id, prefix };
    } catch (error) {
      // Most likely a network of this range exists.
      if (attempt === TRIES) throw error;
    }
  }
}
