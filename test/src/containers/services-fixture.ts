import { randomUUID } from "node:crypto";
import type Docker from "dockerode";
import type { ContainerSpec } from "../../../runner/job/container-spec.ts";
import type { RunningService, ServiceSpec } from "../../../runner/job/siblings.ts";
import type { ContainerPlace } from "../../../src/containers/container-place.ts";
import { openJobPlace } from "../../../src/containers/job-place.ts";
import type { Leak } from "../../../src/containers/remove-objects.ts";
import { removeServices, serviceContainers } from "../../../src/containers/services.ts";
import { testMachine } from "../../engine.ts";
import { execIn } from "./exec-in.ts";

/** A job's container with nothing but a shell in it, its services, and what came of them. */
export type JobWithServices = AsyncDisposable & {
  readonly docker: Docker;
  readonly jobId: string;
  readonly place: ContainerPlace;
  readonly lines: readonly string[];
  readonly leaks: readonly Leak[];
  start(
    services: readonly ServiceSpec[],
    signal?: AbortSignal,
  ): Promise<{ readonly [id: string]: RunningService }>;
  stop(): Promise<void>;
  /** Runs a program in the job's container. */
  exec(...argv: string[]): Promise<{ output: string; exitCode: number | null }>;
  /** The same for a program for the job image's python3. */
  python(program: string): Promise<string>;
};

export async function aJobWithServices(container?: ContainerSpec): Promise<JobWithServices> {
  const { engine, jobImage, nodeVolume } = await testMachine();
  const { docker } = engine;
  const jobId = `services-${randomUUID()}`;
  const runId = `run-${jobId}`;
  const lines: string[] = [];
  const leaks: Leak[] = [];
  const onLeak = (leak: Leak) => void leaks.push(leak);
  const never = new AbortController().signal;
  const progress = (line: string) => void lines.push(line);

  const place = await openJobPlace(
    docker,
    { jobId, runId, repository: "repo", labels: [], ...(container && { container }) },
    {
      image: jobImage,
      shellArgv: ["-c", "exec sleep 600"],
      hostName: "here",
      nodeVolume,
      progress,
      onLeak,
      signal: never,
    },
  );
  const services = serviceContainers(docker, {
    jobId,
    runId,
    containerId: place.containerId,
    hasJobContainer: container !== undefined,
    forwarder: { image: jobImage, nodeVolume: nodeVolume.name },
    onLeak,
  });
  const exec = (...argv: string[]) => execIn(docker, place.containerId, argv);
  return {
    docker,
    jobId,
    place,
    lines,
    leaks,
    start: (specs, signal = never) => services.startServices(specs, { progress, signal }),
    stop: () => services.stopServices({ progress, signal: never }),
    exec,
    async python(program) {
      const { output, exitCode } = await exec("python3", "-c", program);
      if (exitCode !== 0) throw new Error(output);
      return output.trim();
    },
    async [Symbol.asyncDispose]() {
      await removeServices(docker, { jobId, onLeak });
      await place[Symbol.asyncDispose]();
    },
  };
}

/** A service whose container runs a program for python3, in the job image unless said. */
export async function aService(
  id: string,
  program: string,
  rest: Partial<ServiceSpec> = {},
): Promise<ServiceSpec> {
  const { jobImage } = await testMachine();
  return {
    id,
    image: jobImage,
    ports: [],
    volumes: [],
    options: "",
    entrypoint: "python3",
    command: `-u -c "import os; exec(os.environ['PROGRAM'])"`,
    ...rest,
    env: { PROGRAM: program, ...rest.env },
  };
}

/** Sends back what it is sent, on TCP and UDP port 7000; `half` bytes first what a half-closed client waits for. */
export const ECHO = `
import socket, socketserver, threading
class Tcp(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(65536): self.request.sendall(data)
        self.request.sendall(b" and the end")
class Udp(socketserver.BaseRequestHandler):
    def handle(self): self.request[1].sendto(self.request[0].upper(), self.client_address)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 1024
threading.Thread(target=socketserver.ThreadingUDPServer(("", 7000), Udp).serve_forever).start()
print("echo is up")
Server(("", 7000), Tcp).serve_forever()
`;

/** Connects to `host:port`, trying for a while, sends `text` and closes its half; prints what comes back. */
export function ask(host: string, port: string | number | undefined, text: string): string {
  return `
import socket, time
for _ in range(100):
    try:
        with socket.create_connection((${JSON.stringify(host)}, ${Number(port)}), timeout=5) as s:
            s.sendall(${JSON.stringify(text)}.encode()); s.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: s.recv(65536), b"")).decode()
        if answer: break
    except OSError as error: answer = repr(error)
    time.sleep(0.05)
print(answer)`;
}
