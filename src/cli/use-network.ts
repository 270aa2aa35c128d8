import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { type JobNetwork, proxyVariables } from "../job-network.ts";

/** From now on this process, and what it starts, reaches the world as the configuration says. */
export function useNetwork(network: JobNetwork, env: NodeJS.ProcessEnv): void {
  Object.assign(env, proxyVariables(network.proxy));
  if (network.ca === undefined) return;
  setDefaultCACertificates([...getCACertificates("default"), network.ca]);
}
