import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { testEngine } from "./engine.ts";

/** A way to the engine that tests run on; it can be cut, and is there again when it is mended. */
export type EngineProxy = AsyncDisposable & {
  /** `unix:///…` */
  readonly endpoint: string;
  /** Ends all connections, and any that is made from now on. */
  cut(): void;
  mend(): void;
  /** Ends the connections of now; others can be made. */
  drop(): void;
  /**
   * Cuts the way at a request whose first line has this in it: before the engine has it, or once the engine has begun to answer and nobody hears
   * that. Resolves when that was done.
   */
  cutAt(line: RegExp, when: "before" | "after"): Promise<void>;
};

export async function startEngineProxy(): Promise<EngineProxy> {
  const engine = (await testEngine()).endpoint.replace("unix://", "");
  const folder = mkdtempSync(join(tmpdir(), "berth-proxy-"));
  const path = join(folder, "docker.sock");
  const sockets = new Set<Socket>();
  let isCut = false;
  let trap: { line: RegExp; when: "before" | "after"; done: () => void } | undefined;

  const drop = () => {
    for (const socket of sockets) socket.destroy();
  };
  const cut = () => {
    isCut = true;
    drop();
  };
  const spring = () => {
    const { done } = trap ?? {};
    trap = undefined;
    cut();
    done?.();
  };
  const server = createServer({ allowHalfOpen: true }, (near) => {
    if (isCut) return void near.destroy();
    const far = connect({ path: engine, allowHalfOpen: true });
    let isSprung = false;
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", () => {}); // a socket that is cut may have one
      socket.on("close", () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.on("data", (chunk: Buffer) => {
      if (trap?.line.test(chunk.toString("latin1").split("\r\n", 1)[0] ?? "")) {
        if (trap.when === "before") return spring();
        isSprung = true;
      }
      if (!far.write(chunk)) {
        near.pause();
        far.once("drain", () => near.resume());
      }
    });
    far.on("data", (chunk: Buffer) => {
      if (isSprung) return spring();
      if (!near.write(chunk)) {
        far.pause();
        near.once("drain", () => far.resume());
      }
    });
    near.on("end", () => far.end());
    far.on("end", () => near.end());
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    endpoint: `unix://${path}`,
    cut,
    drop,
    mend() {
      isCut = false;
    },
    cutAt(line, when) {
      const { promise, resolve } = Promise.withResolvers<void>();
      trap = { line, when, done: resolve };
      return promise;
    },
    async [Symbol.asyncDispose]() {
      cut();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true });
    },
  };
}
