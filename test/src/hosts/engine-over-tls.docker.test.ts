import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type AddressInfo, connect as connectSocket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { openHost } from "../../../src/hosts/open-host.ts";
import { testEngine } from "../../engine.ts";

const MAKE_CERTIFICATES = `set -e
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout ca-key.pem -out ca.pem
for name in server client; do
  openssl req -newkey rsa:2048 -nodes -subj /CN=$name -keyout $name-key.pem -out $name.csr
  printf 'subjectAltName=DNS:localhost\\n' > $name.ext
  openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 2 -extfile $name.ext -out $name.pem
done`;
const folder = mkdtempSync(join(tmpdir(), "berth-tls-"));
const file = (name: string) => join(folder, name);
const hasOpenssl = spawnSync("sh", ["-c", MAKE_CERTIFICATES], { cwd: folder }).status === 0;
const signal = AbortSignal.timeout(60_000);
const connect = { env: {}, home: folder, uid: 0, stateDir: folder };
const server = createServer();
const sockets = new Set<TLSSocket>();

afterAll(() => {
  server.close();
  for (const socket of sockets) socket.destroy();
  rmSync(folder, { recursive: true, force: true });
});

(hasOpenssl ? describe : describe.skip)("an engine that is reached over TLS", () => {
  beforeAll(async () => {
    const { endpoint } = await testEngine();
    server.setSecureContext({
      cert: readFileSync(file("server.pem")),
      key: readFileSync(file("server-key.pem")),
      ca: readFileSync(file("ca.pem")),
    });
    Object.assign(server, { requestCert: true, rejectUnauthorized: true });
    // The engine's own server would do the same.
    server.on("secureConnection", (far: TLSSocket) => {
      sockets.add(far);
      const near = connectSocket(endpoint.replace("unix://", ""));
      far.on("error", () => near.destroy()).pipe(near);
      near.on("error", () => far.destroy()).pipe(far);
    });
    server.on("tlsClientError", () => {});
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  });

  it("is spoken to with the files of the configuration", async () => {
    await using host = await open({ certFile: "client.pem", keyFile: "client-key.pem" });

    expect(await host.probe(signal)).toMatchObject({
      os: "linux",
      engines: [{ usable: true, isDefault: true, kind: "docker" }],
    });
  });

  it("is not spoken to when its certificate is not the one that was meant", async () => {
    const other = { caFile: "client.pem", certFile: "client.pem", keyFile: "client-key.pem" };
    await using host = await open(other);

    await expect(host.probe(signal)).rejects.toMatchObject({
      code: "ENGINE_NOT_FOUND",
      message: expect.stringMatching(/docker in berth\.yml\): .*(certificate|unable to verify)/),
    });
  });

  it("says which file of its tls cannot be read", async () => {
    await using host = await open({ certFile: "nowhere.pem", keyFile: "client-key.pem" });

    await expect(host.probe(signal)).rejects.toMatchObject({
      message: expect.stringContaining("nowhere.pem"),
    });
  });
});

function open({ caFile = "ca.pem", certFile = "", keyFile = "" }) {
  const { port } = server.address() as AddressInfo;
  return openHost(
    {
      name: "far",
      docker: `tcp://localhost:${port}`,
      tls: { caFile: file(caFile), certFile: file(certFile), keyFile: file(keyFile) },
    },
    { connect },
  );
}
