import { expect, it } from "@jest/globals";
import { readContainer } from "../../../src/containers/container-request.ts";
import { ContainerSettings } from "../../../src/containers/settings.ts";
import { settingsToSpec } from "../../../src/containers/settings-to-spec.ts";

it("turns settings into what the engine is asked for", () => {
  const settings = ContainerSettings.parse({
    image: "pytorch:2",
    user: "1000:1000",
    workdir: "/my app",
    environment: { A: "b" },
    volumes: [{ source: "/data", target: "/data", mode: "ro" }, { target: "/scratch" }],
    network: {
      aliases: ["me"],
      ports: { "8080": 8080, "53/udp": "0" },
      extraHosts: { db: "10.0.0.1" },
    },
    resources: {
      memory: "64g",
      memorySwap: -1,
      cpus: 1.5,
      cpuset: "0-7",
      shm: 1024,
      gpus: ["a", "b"],
    },
    options: "--init=false",
  });

  const wish = readContainer(settingsToSpec(settings), {}, {});

  expect(wish.env).toEqual(["A=b"]);
  expect(wish.ports).toMatchObject([
    { containerPort: 8080, hostPort: "8080" },
    { containerPort: 53, protocol: "udp", hostPort: "" },
  ]);
  expect(wish.mounts).toMatchObject([
    { Type: "bind", Source: "/data", Target: "/data", ReadOnly: true },
    { Type: "volume", Target: "/scratch" },
  ]);
  expect(wish.options).toMatchObject({
    config: { User: "1000:1000", WorkingDir: "/my app" },
    aliases: ["me"],
    host: {
      Memory: 64 * 2 ** 30,
      MemorySwap: -1,
      NanoCpus: 1.5e9,
      CpusetCpus: "0-7",
      ShmSize: 1024,
      ExtraHosts: ["db:10.0.0.1"],
      DeviceRequests: [{ DeviceIDs: ["a", "b"] }],
      Init: false,
    },
  });
});

it.each([
  [{ image: "x", memroy: "1g" }],
  [{ image: "x", resources: { memory: "lots" } }],
  [{ image: "x", volumes: [{ source: "./here", target: "/x" }] }],
  [{ image: "x", volumes: [{ source: "/x", target: "x" }] }],
  [{ image: "" }],
])("refuses %j", (settings) => {
  expect(ContainerSettings.safeParse(settings).success).toBe(false);
});
