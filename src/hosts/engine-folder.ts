import { join } from "node:path";

/** All that belongs to the engine which Berth starts itself lies below one folder. */
export type EngineFolder = {
  readonly path: string;
  readonly data: string;
  readonly exec: string;
  readonly socket: string;
  readonly pidFile: string;
  readonly log: string;
  /** Programs that dockerd is to find before the system's. */
  readonly programs: string;
};

export function engineFolder(stateFolder: string): EngineFolder {
  const path = join(stateFolder, "engine");
  return {
    path,
    data: join(path, "data"),
    exec: join(path, "exec"),
    socket: join(path, "docker.sock"),
    pidFile: join(path, "docker.pid"),
    log: join(path, "dockerd.log"),
    programs: join(path, "programs"),
  };
}
