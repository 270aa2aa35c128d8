import type { SetupFacts } from "../../../../src/hosts/setup/setup-facts.ts";

/** A Debian 12 with systemd and nothing else, where `ubuntu` may use sudo without a password. */
export function someMachine(differs: Partial<SetupFacts> = {}): SetupFacts {
  return {
    os: "linux",
    machine: "x86_64",
    kernel: "6.1.0-18-amd64",
    distribution: { id: "debian", like: [], version: "12", name: "Debian GNU/Linux 12 (bookworm)" },
    packageManager: "apt",
    user: "ubuntu",
    uid: 1000,
    home: "/home/ubuntu",
    homeFilesystem: "ext2/ext3",
    sudo: "passwordless",
    init: "systemd",
    hasSessionBus: false,
    lingers: false,
    delegates: false,
    cgroupVersion: "2",
    userNamespaces: { most: 100_000, forbidden: false, restrictedByAppArmor: false },
    tun: "open",
    subuid: ["ubuntu:100000:65536"],
    subgid: ["ubuntu:100000:65536"],
    programs: { crontab: "/usr/bin/crontab", curl: "/usr/bin/curl", gpg: "/usr/bin/gpg" },
    hasDockerCe: false,
    hasServicePolicy: false,
    answers: { docker: false, rootless: false },
    rootlessSocket: "/run/user/1000/docker.sock",
    nvidia: { devices: 0, driverWorks: false },
    ...differs,
  };
}

export const FEDORA = {
  distribution: { id: "fedora", like: [], version: "41", name: "Fedora Linux 41" },
  packageManager: "dnf",
} as const;

export const ALMA = {
  distribution: {
    id: "almalinux",
    like: ["rhel", "centos", "fedora"],
    version: "9.5",
    name: "AlmaLinux 9.5",
  },
  packageManager: "dnf",
} as const;

export const SUSE = {
  distribution: {
    id: "opensuse-leap",
    like: ["suse", "opensuse"],
    version: "15.6",
    name: "openSUSE Leap 15.6",
  },
  packageManager: "zypper",
} as const;

/** Has neither systemd nor cron's program in this test. */
export const ALPINE = {
  distribution: { id: "alpine", like: [], version: "3.20.3", name: "Alpine Linux v3.20" },
  packageManager: "apk",
  init: "openrc",
  rootlessSocket: "/home/ubuntu/.docker/run/docker.sock",
  programs: {},
} as const;
