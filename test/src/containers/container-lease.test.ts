import { describe, expect, it } from "@jest/globals";
import { type ContainerLease, withLease } from "../../../src/containers/container-lease.ts";
import { readContainer } from "../../../src/containers/container-request.ts";

const GIB = 2 ** 30;
const GPU = "GPU-7f1c2f0e-0000-4000-8000-000000000001";
const LEASE: ContainerLease = { cpus: 1.5, memoryBytes: 2 * GIB, gpus: [] };

describe("a container under a lease", () => {
  it("gets what is leased where its author asks for nothing, and no swap", () => {
    expect(hostOf("", LEASE)).toMatchObject({
      NanoCpus: 1.5e9,
      Memory: 2 * GIB,
      MemorySwap: 2 * GIB,
    });
  });

  it("gets no more than is leased, and less where it asks for less", () => {
    expect(hostOf("--cpus 4 --memory 64g --memory-swap -1", LEASE)).toMatchObject({
      NanoCpus: 1.5e9,
      Memory: 2 * GIB,
      MemorySwap: 2 * GIB,
    });
    expect(hostOf("--cpus 0.5 --memory 1g", LEASE)).toMatchObject({ NanoCpus: 5e8, Memory: GIB });
    const quota = hostOf("--cpu-quota 50000 --cpu-period 100000", LEASE);
    expect(quota).toMatchObject({ NanoCpus: 5e8 });
    expect(quota).not.toHaveProperty("CpuQuota");
  });

  it("keeps the swap that its profile gives it", () => {
    const lease = { ...LEASE, allowsSwap: true };

    expect(hostOf("--memory-swap 4g", lease)).toMatchObject({ MemorySwap: 4 * GIB });
    expect(hostOf("", lease)).toMatchObject({ MemorySwap: 2 * GIB });
  });

  it("is not limited where nothing was asked for", () => {
    expect(hostOf("--memory 64g", { cpus: 0, memoryBytes: 0 })).toEqual({ Memory: 64 * GIB });
  });
});

describe("the GPUs of a container", () => {
  const gpus = { cpus: 0, memoryBytes: 0, gpus: [GPU] };
  const leased = [{ Driver: "nvidia", DeviceIDs: [GPU], Capabilities: [["gpu"]] }];

  it("are the leased ones, whichever it asks for", () => {
    for (const options of ["", "--gpus all", "--gpus 8", "--device nvidia.com/gpu=all"]) {
      expect(hostOf(options, gpus)).toMatchObject({ DeviceRequests: leased });
    }
  });

  it("are only given to a service that asks", () => {
    expect(hostOf("", gpus, "asked")).toEqual({ DeviceRequests: [] });
    expect(hostOf("--gpus 1", gpus, "asked")).toEqual({ DeviceRequests: leased });
  });

  it("are refused in words without a lease, and hidden from images that show them all", () => {
    expect(() => hostOf("--gpus all", LEASE)).toThrow(
      expect.objectContaining({ code: "CONTAINER_OPTION", message: expect.stringMatching(/GPUs/) }),
    );
    const wish = readContainer(spec("", { NVIDIA_VISIBLE_DEVICES: "all", A: "b" }), {}, {});
    expect(withLease(wish, LEASE, { getsGpus: "always" }).env).toEqual([
      "A=b",
      "NVIDIA_VISIBLE_DEVICES=void",
    ]);
  });

  it("are named to CUDA as a container counts them, slices by their UUIDs, and fewer where its author says so", () => {
    const envOf = (gpus: readonly string[], own: { [name: string]: string } = {}) =>
      withLease(readContainer(spec("", own), {}, {}), { ...LEASE, gpus }, { getsGpus: "always" })
        .env;

    expect(envOf([GPU, "GPU-2"])).toEqual(["CUDA_VISIBLE_DEVICES=0,1"]);
    expect(envOf(["MIG-1"])).toEqual(["CUDA_VISIBLE_DEVICES=MIG-1"]);
    expect(envOf([GPU, "GPU-2"], { CUDA_VISIBLE_DEVICES: "1" })).toEqual([
      "CUDA_VISIBLE_DEVICES=1",
    ]);
  });

  it("come by name where the engine reads the Container Device Interface", () => {
    expect(hostOf("--gpus all", { ...gpus, gpuAccess: { by: "cdi" } })).toEqual({
      DeviceRequests: [{ Driver: "cdi", DeviceIDs: [`nvidia.com/gpu=${GPU}`] }],
    });
  });

  it("come as device nodes, beside others, with the groups that may open them", () => {
    const nodes = ["/dev/kfd", "/dev/dri/renderD128"];
    const gpuAccess = { by: "nodes", nodes, groups: ["44", "105"] } as const;

    expect(hostOf("--device /dev/fuse --group-add 5", { ...gpus, gpuAccess })).toMatchObject({
      DeviceRequests: [],
      Devices: [
        { PathOnHost: "/dev/fuse" },
        { PathOnHost: "/dev/kfd", PathInContainer: "/dev/kfd", CgroupPermissions: "rwm" },
        { PathOnHost: "/dev/dri/renderD128" },
      ],
      GroupAdd: ["5", "44", "105"],
    });
  });

  it("are Docker's affair where nothing is leased at all", () => {
    expect(hostOf("--gpus all", { cpus: 1, memoryBytes: 0 })).toMatchObject({
      DeviceRequests: [{ Count: -1 }],
    });
  });
});

function hostOf(options: string, lease: ContainerLease, getsGpus: "always" | "asked" = "always") {
  return withLease(readContainer(spec(options), {}, {}), lease, { getsGpus }).options.host;
}

function spec(options: string, env: { [name: string]: string } = {}) {
  return { env, ports: [], volumes: [], options };
}
