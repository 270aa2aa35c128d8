import { describe, expect, it } from "@jest/globals";
import { planSetup } from "../../../../src/hosts/setup/plan-setup.ts";
import type { SetupPlan, SetupWish } from "../../../../src/hosts/setup/setup-plan.ts";
import { ALMA, SUSE, someMachine } from "./some-machine.ts";

const WISH: SetupWish = {
  engine: "docker",
  nvidia: true,
  allow: ["docker", "rootless", "toolkit", "driver"],
};
const BOTH_ENGINES = { docker: true, rootless: true };
const NO_DRIVER = { devices: 2, driverWorks: false };
const DRIVER = { devices: 2, driverWorks: true };

describe("a plan for GPUs of NVIDIA", () => {
  it("brings the driver, then the toolkit, on Debian", () => {
    const plan = planSetup(someMachine({ nvidia: NO_DRIVER, answers: BOTH_ENGINES }), WISH);

    expect(plan.obstacles).toEqual([]);
    expect(withoutInstallation(plan)).toEqual([
      "curl -fsSLo /tmp/cuda-keyring_1.1-1_all.deb https://developer.download.nvidia.com/compute/cuda/repos/debian12/x86_64/cuda-keyring_1.1-1_all.deb",
      "sudo dpkg -i /tmp/cuda-keyring_1.1-1_all.deb",
      "sudo env … install -y --no-install-recommends linux-headers-6.1.0-18-amd64 cuda-drivers",
      expect.stringContaining("sudo modprobe nvidia ||"),
      "curl -fsSL https://nvidia.github.io/libnvidia-container/gpgkey | sudo gpg --batch --yes --dearmor -o /usr/share/keyrings/nvidia-container-toolkit-keyring.gpg",
      "curl -fsSL https://nvidia.github.io/libnvidia-container/stable/deb/nvidia-container-toolkit.list | sed 's#deb https://#deb [signed-by=/usr/share/keyrings/nvidia-container-toolkit-keyring.gpg] https://#' | sudo tee /etc/apt/sources.list.d/nvidia-container-toolkit.list >/dev/null",
      "sudo env … install -y --no-install-recommends nvidia-container-toolkit",
      expect.stringContaining("docker -H unix:///var/run/docker.sock run --rm"),
      expect.stringContaining("sudo docker -H unix:///var/run/docker.sock ps -q"),
      "sudo nvidia-ctk runtime configure --runtime=docker --config=/etc/docker/daemon.json",
      "sudo systemctl restart docker",
      expect.stringContaining("until sudo docker"),
      "sudo mkdir -p /etc/cdi",
      "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml",
    ]);
  });

  it("brings them with dnf on Red Hat's kin", () => {
    const plan = planSetup(
      someMachine({ ...ALMA, nvidia: NO_DRIVER, answers: BOTH_ENGINES }),
      WISH,
    );

    expect(withoutInstallation(plan).slice(0, 5)).toEqual([
      "curl -fsSL https://developer.download.nvidia.com/compute/cuda/repos/rhel9/x86_64/cuda-rhel9.repo | sudo tee /etc/yum.repos.d/cuda-rhel9.repo >/dev/null",
      "sudo dnf install -y kernel-devel-6.1.0-18-amd64 cuda-drivers",
      expect.stringContaining("sudo modprobe nvidia ||"),
      "curl -fsSL https://nvidia.github.io/libnvidia-container/stable/rpm/nvidia-container-toolkit.repo | sudo tee /etc/yum.repos.d/nvidia-container-toolkit.repo >/dev/null",
      "sudo dnf install -y nvidia-container-toolkit",
    ]);
  });

  it.each([
    ["ubuntu", "24.04", "x86_64", "/ubuntu2404/x86_64/"],
    ["ubuntu", "22.04", "aarch64", "/ubuntu2204/sbsa/"],
    ["debian", "13", "x86_64", "/debian13/x86_64/"],
  ])("takes the repository of %s %s on %s", (id, version, machine, folder) => {
    const distribution = { id, like: [], version, name: `${id} ${version}` };

    const plan = planSetup(
      someMachine({ distribution, machine, nvidia: NO_DRIVER, answers: BOTH_ENGINES }),
      WISH,
    );

    expect(withoutInstallation(plan)[0]).toContain(folder);
  });

  it("leaves a driver that works alone", () => {
    const plan = planSetup(someMachine({ nvidia: DRIVER, answers: BOTH_ENGINES }), WISH);

    expect(plan.steps.filter(({ part }) => part === "driver")).toEqual([]);
  });

  it("tells a rootless engine's runtime to leave control groups alone", () => {
    const plan = planSetup(someMachine({ nvidia: DRIVER, answers: BOTH_ENGINES }), {
      ...WISH,
      engine: "rootless",
    });

    const commands = withoutInstallation(plan);
    expect(commands).toContain(
      "sudo nvidia-ctk config --set nvidia-container-cli.no-cgroups=true --in-place",
    );
    expect(commands).toContain(
      "mkdir -p /home/ubuntu/.config/docker && nvidia-ctk runtime configure --runtime=docker --config=/home/ubuntu/.config/docker/daemon.json",
    );
    expect(commands).toContain("systemctl --user restart docker");
    expect(plan.notes.join()).toContain("no-cgroups holds for the whole machine");
  });

  it.each([
    ["no GPU", someMachine(), WISH, "No GPU of NVIDIA is seen"],
    [
      "no permission for the driver",
      someMachine({ nvidia: NO_DRIVER }),
      { ...WISH, allow: ["docker", "toolkit"] as const },
      '"driver" is not among what is allowed',
    ],
    [
      "no permission for the toolkit",
      someMachine({ nvidia: DRIVER }),
      { ...WISH, allow: ["docker"] as const },
      '"toolkit" is not among what is allowed',
    ],
    [
      "another package manager",
      someMachine({ ...SUSE, nvidia: NO_DRIVER }),
      WISH,
      "NVIDIA's driver with apt and dnf only",
    ],
    [
      "no sudo",
      someMachine({ nvidia: NO_DRIVER, sudo: "none", answers: BOTH_ENGINES }),
      WISH,
      "NVIDIA's driver takes",
    ],
  ])("says what is in the way: %s", (_name, facts, wish, reason) => {
    const plan = planSetup(facts, wish);

    expect(plan.obstacles.map((one) => one.reason).join()).toContain(reason);
    expect(plan.steps.filter(({ part }) => part === "driver" || part === "toolkit")).toEqual([]);
  });
});

/** What a person would type, without apt's own preparations. */
function withoutInstallation({ steps }: SetupPlan): string[] {
  return steps
    .flatMap(({ commands }) => commands)
    .filter((command) => !/policy-rc\.d|dpkg --configure|apt-get .* update/.test(command))
    .map((command) => command.replace(/^sudo env .*apt-get .*? install/, "sudo env … install"));
}
