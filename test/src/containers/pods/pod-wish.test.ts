import { describe, expect, it } from "@jest/globals";
import type { PodRequest } from "../../../../src/containers/pods/pod-request.ts";
import { readPodRequest } from "../../../../src/containers/pods/pod-wish.ts";

const read = (request: Partial<PodRequest>) =>
  readPodRequest(
    { image: "debian:12", ...request },
    { allowsHostPath: (path) => path.startsWith("/data") },
  );

describe("readPodRequest", () => {
  it("reads ports with addresses, ranges, protocols and open host ports", () => {
    const { ports } = read({ ports: ["127.0.0.1:8080:80", "5000-5001:6000-6001/udp", "0:9000"] });

    expect(ports).toEqual([
      { containerPort: 80, protocol: "tcp", hostIp: "127.0.0.1", hostPort: "8080" },
      { containerPort: 6000, protocol: "udp", hostIp: "", hostPort: "5000" },
      { containerPort: 6001, protocol: "udp", hostIp: "", hostPort: "5001" },
      { containerPort: 9000, protocol: "tcp", hostIp: "", hostPort: "" },
    ]);
  });

  it("reads limits as Docker does", () => {
    const limits = {
      memory: "1.5GiB",
      memorySwap: "2g",
      shm: "64mb",
      cpus: "1.5",
      cpuset: "0-1,3",
    };

    expect(read(limits).limits).toEqual({
      Memory: 1.5 * 2 ** 30,
      MemorySwap: 2 * 2 ** 30,
      ShmSize: 64 * 2 ** 20,
      NanoCpus: 1.5e9,
      CpusetCpus: "0-1,3",
    });
  });

  it.each([
    ["auto", { isOptional: true, count: 1, model: undefined }],
    ["2", { isOptional: false, count: 2, model: undefined }],
    ["A100", { isOptional: false, count: 1, model: "a100" }],
    ["rtx-4090:2", { isOptional: false, count: 2, model: "rtx-4090" }],
  ])("reads --gpu %s", (gpu, wish) => {
    expect(read({ gpu }).gpu).toEqual(wish);
  });

  it.each(["host", "none", "container:other"])(
    "takes ports with --network %s, publishes none, and says so",
    (network) => {
      const wish = read({ network, ports: ["8080:80"] });

      expect(wish.ports).toEqual([]);
      expect(wish.warnings).toEqual([expect.stringMatching(/^No port is published: /)]);
    },
  );

  it("lets port 2375 be published on loopback alone", () => {
    expect(read({ ports: ["127.0.0.1:2375:2375"] }).ports).toHaveLength(1);
    expect(() => read({ ports: ["2375:2375"] })).toThrow(/without TLS/);
    expect(() => read({ ports: ["2370-2379:2370-2379"] })).toThrow(/without TLS/);
    expect(() => read({ ports: ["0.0.0.0:1:2375"] })).toThrow(/without TLS/);
  });

  it("mounts folders of the host only where policy lets it", () => {
    expect(read({ volumes: ["/data/set:/set:ro", "cache:/cache", "/scratch"] }).mounts).toEqual([
      { Type: "bind", Source: "/data/set", Target: "/set", ReadOnly: true },
      { Type: "volume", Source: "cache", Target: "/cache" },
      { Type: "volume", Target: "/scratch" },
    ]);
    expect(() => read({ volumes: ["/etc:/etc2"] })).toThrow(/\/etc of the host may not be mounted/);
    expect(() => read({ volumes: ["/etc:/etc2:z"] })).toThrow(/may not be mounted/);
  });

  const bad: [string, Partial<PodRequest>][] = [
    ["--port", { ports: ["70000:80"] }],
    ["--port", { ports: ["80:"] }],
    ["--port", { ports: ["8080:0"] }],
    ["--port", { ports: ["a:80"] }],
    ["--port", { ports: ["8080:80/icmp"] }],
    ["--port", { ports: ["300.0.0.1:8080:80"] }],
    ["--port", { ports: ["8000-8002:80-81"] }],
    ["--port", { ports: ["8080:80", "8080:81"] }],
    ["--memory", { memory: "lots" }],
    ["--memory", { memory: "0" }],
    ["--memory", { memory: "-1" }],
    ["--memory-swap", { memory: "2g", memorySwap: "1g" }],
    ["--memory-swap", { memorySwap: "1g" }],
    ["--shm-size", { shm: "64x" }],
    ["--cpus", { cpus: "two" }],
    ["--cpus", { cpus: "0" }],
    ["--cpuset", { cpuset: "0-" }],
    ["--cpuset", { cpuset: "3-1" }],
    ["--name", { name: "a b" }],
    ["--name", { name: "-x" }],
    ["--network", { network: "a b" }],
    ["--network", { network: "host", dind: true }],
    ["--user", { user: "a b" }],
    ["--workdir", { workdir: "app" }],
    ["--entrypoint", { entrypoint: "" }],
    ["--command", { command: ["a\0b"] }],
    ["--env", { env: ["=x"] }],
    ["--env", { env: ["A B=x"] }],
    ["--env", { env: ["A=x\0y"] }],
    ["--volume", { volumes: ["./here:/there"] }],
    ["--volume", { volumes: ["data:there"] }],
    ["--volume", { volumes: ["data:/"] }],
    ["--volume", { volumes: ["a1:/x", "b1:/x/"] }],
    ["--volume", { volumes: ["data:/x:huge"] }],
    ["--volume", { volumes: ["berth-node:/x"] }],
    ["--gpu", { gpu: "0" }],
    ["--gpu", { gpu: "a100:0" }],
    ["--gpu", { gpu: "-1" }],
    ["--setup-user", { setupUser: "debian:12" }],
    ["--setup-user", { setupUser: "root" }],
    ["--setup-user", { setupUser: "Some User" }],
  ];
  it.each(bad)("names %s when it is not usable: %j", (flag, request) => {
    expect(() => read(request)).toThrow(
      expect.objectContaining({
        code: "CONTAINER_OPTION",
        message: expect.stringContaining(` of ${flag} is not usable: `),
      }),
    );
  });

  it("keeps a variable's value out of the error", () => {
    expect(() => read({ env: ["A B=secret"] })).toThrow(expect.not.stringContaining("secret"));
  });

  it("refuses what is no name of an image", () => {
    expect(() => read({ image: "Not An Image" })).toThrow(/is not the name of an image/);
  });
});
