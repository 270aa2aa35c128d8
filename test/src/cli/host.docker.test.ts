import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { runBerth } from "./run-berth.ts";

const UUID = "GPU-11111111-2222-3333-4444-555555555555";

let cwd: string;

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), "berth-host-"));
  const script = `#!/bin/sh
case "$*" in
*compute_cap*) echo "0, ${UUID}, NVIDIA H100 80GB HBM3, 81559, 580.159.04, 9.0, Disabled" ;;
*-L*) echo "GPU 0: NVIDIA H100 80GB HBM3 (UUID: ${UUID})" ;;
*--query*) ;;
*) echo "| NVIDIA-SMI 580.159.04   Driver Version: 580.159.04   CUDA Version: 13.0 |" ;;
esac
`;
  // With the hook there a GPU counts as usable; it is never run here.
  for (const [name, text] of [
    ["nvidia-smi", script],
    ["nvidia-container-runtime-hook", "#!/bin/sh\nexit 1\n"],
  ] as const) {
    await writeFile(join(cwd, name), text);
    await chmod(join(cwd, name), 0o755);
  }
});
afterAll(() => rm(cwd, { recursive: true, force: true }));

// The engine may be Berth's own, which is found by the state folder.
const withGpu = () => ({
  cwd,
  env: { PATH: `${cwd}:${process.env.PATH}`, XDG_STATE_HOME: process.env.XDG_STATE_HOME },
});

describe("berth host", () => {
  it("probes this machine", async () => {
    const { code, stdout } = await runBerth(["host", "probe", "--json"], withGpu());

    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      name: hostname(),
      arch: process.arch,
      memoryBytes: expect.any(Number),
      engines: [{ kind: "docker", usable: true, isDefault: true, osType: "linux" }],
      gpus: [
        {
          vendor: "nvidia",
          index: 0,
          uuid: UUID,
          model: "NVIDIA H100 80GB HBM3",
          memoryBytes: 81559 * 1024 ** 2,
          driver: "580.159.04",
          cuda: "13.0",
          computeCapability: "9.0",
          mig: [],
          usable: true,
        },
      ],
    });
  });

  it("prints tables for people", async () => {
    const probe = await runBerth(["host", "probe"], withGpu());
    const list = await runBerth(["host", "ls"], withGpu());

    expect(probe.stdout).toMatch(/✓ 0 +NVIDIA H100 80GB HBM3 +79\.6 GiB +580\.159\.04 +13\.0/);
    expect(probe.stdout).toMatch(/✓ Docker \S+ .*jobs get it/);
    expect(list.stdout).toMatch(/^HOST .*\n\S+ .*1 × NVIDIA H100 80GB HBM3/);
  });

  it("says of a host that is not in the configuration that there is none", async () => {
    const { code, stderr } = await runBerth(["host", "probe", "nas"], { cwd });

    expect([code, stderr]).toEqual([2, expect.stringContaining("There is no host nas")]);
  });
});

describe("berth labels", () => {
  it("lists what can be asked for, and how much there is", async () => {
    const { code, stdout } = await runBerth(["labels"], withGpu());

    expect(code).toBe(0);
    expect(stdout).toMatch(/gpu=MODEL\[:N\] .*1 × NVIDIA H100 80GB HBM3/);
    expect(stdout).toMatch(/cuda=VERSION .*up to 13\.0/);
    expect(stdout).toContain(`host=${hostname().toLowerCase()}`);
  });

  it.each([
    [["berth", "gpu=h100", "gpu-mem=80g", "cuda=12.4"], 0, " fits."],
    [["gpu=2"], 3, "has 1 GPU, and the job needs 2."],
    [["gpu=2", "gpu=4"], 2, "contradict each other"],
    [["gpus"], 2, "Was gpu meant?"],
  ])("says of %j whether this machine fits", async (labels, code, words) => {
    const answer = await runBerth(["labels", ...labels], withGpu());
    const asJson = await runBerth(["labels", "--json", ...labels], withGpu());

    expect([answer.code, answer.stdout]).toEqual([code, expect.stringContaining(words)]);
    expect(JSON.parse(asJson.stdout)).toMatchObject({ fits: code === 0, host: hostname() });
  });
});
