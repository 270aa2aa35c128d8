import { describe, expect, it } from "@jest/globals";
import { planSetup } from "../../../../src/hosts/setup/plan-setup.ts";
import type { SetupPlan, SetupWish } from "../../../../src/hosts/setup/setup-plan.ts";
import { ALMA, ALPINE, FEDORA, SUSE, someMachine } from "./some-machine.ts";

const BOTH = ["docker", "rootless"] as const;
const NOBODY_ASKED: SetupWish = { engine: undefined, nvidia: false, allow: BOTH };
const DOCKER: SetupWish = { ...NOBODY_ASKED, engine: "docker" };
const ROOTLESS: SetupWish = { ...NOBODY_ASKED, engine: "rootless" };

describe("a plan for the system's Docker", () => {
  it("installs docker.io with apt, and has systemd start it afterwards only", () => {
    const plan = planSetup(someMachine(), DOCKER);

    expect(plan).toMatchObject({ engine: "docker", endpoint: "unix:///var/run/docker.sock" });
    expect(typed(plan)).toEqual([
      "# Install docker.io, iptables",
      "sudo dpkg --configure -a",
      "printf '%s\\n' '#!/bin/sh' '# Put here by Berth while it installs packages; safe to delete.' 'exit 101' | sudo tee /usr/sbin/policy-rc.d >/dev/null && sudo chmod 755 /usr/sbin/policy-rc.d",
      "sudo apt-get -o DPkg::Lock::Timeout=300 update || echo 'goes on with the package lists that are there'",
      "sudo env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends docker.io iptables",
      "sudo systemctl disable docker.service docker.socket containerd.service",
      "! grep -qs 'Put here by Berth' /usr/sbin/policy-rc.d || sudo rm -f /usr/sbin/policy-rc.d",
      "# Find an iptables that works",
      "sudo iptables -w -t nat -L -n >/dev/null || sudo update-alternatives --set iptables /usr/sbin/iptables-legacy",
      "# Start the engine",
      "sudo systemctl enable --now docker",
      "sudo timeout 60 sh -c 'until docker -H unix:///var/run/docker.sock version >/dev/null 2>&1; do sleep 0.5; done' || { sudo journalctl -u docker -n 20 --no-pager >&2; false; }",
      "# Run a container",
      "( folder=$(mktemp -d) && trap 'rm -r \"$folder\"; sudo docker -H unix:///var/run/docker.sock rmi berth-setup:$$ >/dev/null' EXIT …",
    ]);
  });

  it.each([
    ["Fedora", FEDORA, "sudo dnf install -y moby-engine"],
    [
      "openSUSE",
      SUSE,
      "sudo env ZYPP_LOCK_TIMEOUT=300 zypper --non-interactive install --no-recommends docker",
    ],
    ["Alpine", ALPINE, "sudo apk --wait 300 add docker"],
    [
      "AlmaLinux with Docker's repository",
      { ...ALMA, hasDockerCe: true },
      "sudo dnf install -y docker-ce docker-ce-cli containerd.io",
    ],
  ])("installs it on %s", (_name, differs, command) => {
    expect(typed(planSetup(someMachine(differs), DOCKER))).toContain(command);
  });

  it("has OpenRC start it on Alpine", () => {
    const commands = typed(planSetup(someMachine(ALPINE), DOCKER));

    expect(commands).toContain("sudo rc-update add docker default");
    expect(commands).toContain("sudo rc-service docker start");
  });

  it("takes no sudo for root, and root none of a rootless one", () => {
    const plan = planSetup(someMachine({ user: "root", uid: 0, sudo: "root" }), NOBODY_ASKED);

    expect(plan.engine).toBe("docker");
    expect(plan.fallbackReason).toBeUndefined();
    expect(typed(plan).filter((line) => line.includes("sudo"))).toEqual([]);
    expect(plan.steps.some(({ sudo }) => sudo)).toBe(false);
  });

  it("leaves a client of its own no package of Debian 13 out", () => {
    const distribution = { id: "debian", like: [], version: "13", name: "Debian 13" };

    const plan = planSetup(someMachine({ distribution }), DOCKER);

    expect(plan.steps[0]?.name).toBe("Install docker.io, docker-cli, iptables");
  });

  it("only starts one that is installed", () => {
    const programs = { dockerd: "/usr/sbin/dockerd", iptables: "/usr/sbin/iptables" };

    const plan = planSetup(someMachine({ programs }), DOCKER);

    expect(plan.steps.map(({ name }) => name)).toEqual([
      "Find an iptables that works",
      "Start the engine",
      "Run a container",
    ]);
  });

  it("leaves one that answers as it is, whatever else is there", () => {
    const plan = planSetup(
      someMachine({ answers: { docker: true, rootless: false } }),
      NOBODY_ASKED,
    );

    expect(plan.engine).toBe("docker");
    expect(plan.steps.map(({ name }) => name)).toEqual(["Run a container"]);
  });

  it("keeps a service policy that the machine has", () => {
    const plan = planSetup(someMachine({ hasServicePolicy: true }), DOCKER);

    expect(typed(plan).filter((line) => line.includes("policy-rc.d"))).toEqual([]);
  });

  it("puts nobody into the group docker, and says so", () => {
    const plan = planSetup(someMachine(), DOCKER);

    expect(typed(plan).join("\n")).not.toMatch(/usermod|gpasswd|adduser/);
    expect(plan.notes.join()).toContain("not put into the group docker");
  });
});

describe("a plan for a rootless Docker", () => {
  it("is the first choice of an ordinary user, as a service of the user's", () => {
    const plan = planSetup(someMachine(), NOBODY_ASKED);

    expect(plan).toMatchObject({
      engine: "rootless",
      endpoint: "unix:///run/user/1000/docker.sock",
      obstacles: [],
    });
    expect(plan.fallbackReason).toBeUndefined();
    expect(typed(plan)).toEqual([
      "# Install docker.io, iptables, rootlesskit, uidmap, slirp4netns, dbus-user-session",
      "sudo dpkg --configure -a",
      expect.stringContaining("/usr/sbin/policy-rc.d"),
      expect.stringContaining("apt-get"),
      "sudo env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends docker.io iptables rootlesskit uidmap slirp4netns dbus-user-session",
      "sudo systemctl disable docker.service docker.socket containerd.service",
      expect.stringContaining("rm -f /usr/sbin/policy-rc.d"),
      "# Hand control groups to users",
      "sudo mkdir -p /etc/systemd/system/user@.service.d",
      "sudo tee /etc/systemd/system/user@.service.d/delegate.conf >/dev/null <<'END' …",
      "sudo systemctl daemon-reload",
      "# Let services of ubuntu outlive the logout",
      "sudo loginctl enable-linger ubuntu",
      "timeout 20 sh -c 'until [ -S /run/user/1000/bus ]; do sleep 0.5; done'",
      "# Write the engine's unit",
      "mkdir -p /home/ubuntu/.config/systemd/user",
      "cat > /home/ubuntu/.config/systemd/user/docker.service <<'END' …",
      "# Start the engine",
      "systemctl --user daemon-reload",
      "systemctl --user enable --now docker",
      "timeout 60 sh -c 'until docker -H unix:///run/user/1000/docker.sock version >/dev/null 2>&1; do sleep 0.5; done' || { journalctl --user -u docker -n 20 --no-pager >&2; false; }",
      "# Run a container",
      expect.stringContaining("docker -H unix:///run/user/1000/docker.sock rmi"),
    ]);
    expect(plan.steps.filter(({ sudo }) => !sudo).map(({ name }) => name)).toEqual([
      "Write the engine's unit",
      "Start the engine",
      "Run a container",
    ]);
  });

  it("takes Docker's own packages where they are", () => {
    const plan = planSetup(someMachine({ hasDockerCe: true }), ROOTLESS);

    expect(plan.steps[0]?.name).toBe(
      "Install docker-ce, docker-ce-cli, containerd.io, docker-ce-rootless-extras, uidmap, slirp4netns, dbus-user-session",
    );
    expect(typed(plan, { whole: true }).join("\n")).toContain(
      "ExecStart=/usr/bin/dockerd-rootless.sh",
    );
  });

  it("leaves an engine of the system's that is there as it is", () => {
    const programs = {
      dockerd: "/usr/sbin/dockerd",
      docker: "/usr/bin/docker",
      iptables: "/usr/sbin/iptables",
      "dockerd-rootless.sh": "/usr/share/docker.io/contrib/dockerd-rootless.sh",
    };

    const plan = planSetup(someMachine({ programs, hasSessionBus: true }), ROOTLESS);

    expect(plan.steps[0]?.name).toBe("Install rootlesskit, uidmap, slirp4netns");
    expect(typed(plan).join("\n")).not.toContain("systemctl disable");
  });

  it.each([
    ["zypper", SUSE, "install --no-recommends docker docker-rootless-extras shadow slirp4netns"],
    ["apk", ALPINE, "add docker docker-rootless-extras shadow-uidmap slirp4netns"],
    [
      "dnf, with Docker's repository on AlmaLinux",
      { ...ALMA, hasDockerCe: true },
      "install -y docker-ce docker-ce-cli containerd.io docker-ce-rootless-extras shadow-utils slirp4netns",
    ],
    [
      "dnf, with passt on a Red Hat 10",
      {
        ...ALMA,
        distribution: { ...ALMA.distribution, version: "10.0" },
        hasDockerCe: true,
      },
      "install -y docker-ce docker-ce-cli containerd.io docker-ce-rootless-extras shadow-utils passt",
    ],
  ])("installs it with %s", (_name, differs, command) => {
    expect(typed(planSetup(someMachine(differs), ROOTLESS)).join("\n")).toContain(command);
  });

  it("is kept running by a script, and started by cron, where systemd is not", () => {
    const rootlessSocket = "/home/ubuntu/.docker/run/docker.sock";

    const plan = planSetup(someMachine({ init: "none", rootlessSocket }), ROOTLESS);

    expect(typed(plan).slice(6)).toEqual([
      "# Write what keeps the engine running",
      "mkdir -p /home/ubuntu/.local/share/berth-docker/bin",
      "cat > /home/ubuntu/.local/share/berth-docker/supervise <<'END' …",
      "chmod 755 /home/ubuntu/.local/share/berth-docker/supervise",
      "# Have cron start it at boot",
      "{ crontab -l 2>/dev/null; echo '@reboot /home/ubuntu/.local/share/berth-docker/supervise'; } | crontab -",
      "# Start the engine",
      "sh -c 'setsid /home/ubuntu/.local/share/berth-docker/supervise </dev/null >/dev/null 2>&1 &'",
      expect.stringContaining("until docker -H unix:///home/ubuntu/.docker/run/docker.sock"),
      "# Run a container",
      expect.anything(),
    ]);
  });

  it("says what a person has to do after a boot where there is no cron either", () => {
    const plan = planSetup(someMachine({ init: "none", programs: {} }), ROOTLESS);

    expect(plan.notes.join()).toContain(
      "after a boot run /home/ubuntu/.local/share/berth-docker/supervise",
    );
  });

  it.each([
    ["an old kernel", { kernel: "5.10.0-28-amd64" }],
    ["a home folder on an overlay", { homeFilesystem: "overlayfs" }],
  ])("brings fuse-overlayfs for %s", (_name, differs) => {
    expect(planSetup(someMachine(differs), ROOTLESS).steps[0]?.name).toContain("fuse-overlayfs");
  });

  it("gives the user ids that nobody else has", () => {
    const subuid = ["root:100000:65536", "ci:165536:65536"];

    const plan = planSetup(someMachine({ subuid, subgid: ["ubuntu:1:5"] }), ROOTLESS);

    const step = plan.steps.find(({ name }) => name === "Give ubuntu ids for containers");
    expect(step?.commands).toEqual([
      "echo ubuntu:231072:65536 | sudo tee -a /etc/subuid >/dev/null",
      "echo ubuntu:100000:65536 | sudo tee -a /etc/subgid >/dev/null",
    ]);
  });

  it("opens /dev/net/tun, and makes it where it is missing", () => {
    const shut = typed(planSetup(someMachine({ tun: "shut" }), ROOTLESS));
    const missing = typed(planSetup(someMachine({ tun: "missing" }), ROOTLESS));

    expect(shut).toContain("sudo chmod 666 /dev/net/tun");
    expect(shut.join()).not.toContain("mknod");
    expect(missing.join()).toContain("sudo mknod /dev/net/tun c 10 200");
  });

  it("lets users make namespaces where the kernel or AppArmor refuse them", () => {
    const userNamespaces = { most: 0, forbidden: true, restrictedByAppArmor: true };

    const commands = typed(planSetup(someMachine({ userNamespaces }), ROOTLESS), { whole: true });

    expect(commands).toContain(
      "sudo tee /etc/sysctl.d/99-berth-rootless.conf >/dev/null <<'END'\nkernel.unprivileged_userns_clone=1\nuser.max_user_namespaces=28633\nEND",
    );
    expect(commands.join("\n")).toContain(
      "profile berth-rootlesskit /usr/bin/rootlesskit flags=(unconfined) {\n  userns,\n}",
    );
  });

  it("says that limits cannot be enforced with control groups v1", () => {
    const plan = planSetup(someMachine({ cgroupVersion: "1" }), ROOTLESS);

    expect(plan.notes.join()).toContain("Limits of CPU and memory cannot be enforced");
  });
});

describe("a rootless Docker that cannot work", () => {
  it.each([
    ["root", { user: "root", uid: 0, sudo: "root" as const }, "The login is root"],
    ["a home folder on NFS", { homeFilesystem: "nfs" }, "/home/ubuntu lies on nfs"],
    ["Fedora's packages", FEDORA, "Fedora Linux 41 has no package with dockerd-rootless.sh"],
  ])("falls back to the system's, and says why: %s", (_name, differs, reason) => {
    const plan = planSetup(someMachine(differs), ROOTLESS);

    expect(plan.engine).toBe("docker");
    expect(plan.fallbackReason).toContain(reason);
    expect(plan.steps.length).toBeGreaterThan(0);
  });

  it("does not fall back where the system's Docker is not allowed", () => {
    const plan = planSetup(someMachine({ homeFilesystem: "nfs" }), {
      ...ROOTLESS,
      allow: ["rootless"],
    });

    expect(plan).toMatchObject({ engine: undefined, steps: [] });
    expect(plan.obstacles.map(({ part }) => part)).toEqual(["rootless"]);
  });

  it("says that neither is allowed", () => {
    const plan = planSetup(someMachine(), { ...NOBODY_ASKED, allow: [] });

    expect(plan.obstacles.map(({ reason }) => reason)).toEqual([
      expect.stringContaining('"rootless" is not among what is allowed'),
      expect.stringContaining('"docker" is not among what is allowed'),
    ]);
  });

  it("needs no sudo where an administrator did what takes it", () => {
    const ready = someMachine({
      sudo: "none",
      lingers: true,
      delegates: true,
      hasSessionBus: true,
      programs: Object.fromEntries(
        [
          "dockerd",
          "iptables",
          "rootlesskit",
          "dockerd-rootless.sh",
          "newuidmap",
          "slirp4netns",
        ].map((name) => [name, `/usr/bin/${name}`]),
      ),
    });

    const plan = planSetup(ready, NOBODY_ASKED);

    expect(plan.engine).toBe("rootless");
    expect(plan.steps.some(({ sudo }) => sudo)).toBe(false);
  });

  it("names the steps that take sudo where there is none", () => {
    const plan = planSetup(someMachine({ sudo: "none" }), NOBODY_ASKED);

    expect(plan.engine).toBeUndefined();
    expect(plan.obstacles[0]?.reason).toContain(
      '"Install docker.io, iptables, rootlesskit, uidmap, slirp4netns, dbus-user-session", "Hand control groups to users", "Let services of ubuntu outlive the logout"',
    );
    expect(plan.obstacles[1]?.reason).toContain("ubuntu is not root, and may not use sudo");
  });

  it.each([
    ["another system", { os: "darwin" }, "set-up is for Linux"],
    ["no package manager of ours", { packageManager: undefined }, "apt, dnf, zypper or apk"],
    ["no Docker of the distribution's", ALMA, "AlmaLinux 9.5 has no Docker among its own packages"],
  ])("and no other either: %s", (_name, differs, reason) => {
    const plan = planSetup(someMachine(differs), NOBODY_ASKED);

    expect(plan.engine).toBeUndefined();
    expect(plan.obstacles.map((one) => one.reason).join()).toContain(reason);
  });
});

/** What a person would type, in order, with a line `# NAME` before each step. Of commands of several lines the first, unless `whole`. */
function typed({ steps }: SetupPlan, { whole = false } = {}): string[] {
  return steps.flatMap(({ name, commands, cleanup = [] }) => [
    `# ${name}`,
    ...[...commands, ...cleanup].map((command) =>
      whole ? command : command.replace(/\n[\s\S]*/, " …"),
    ),
  ]);
}
