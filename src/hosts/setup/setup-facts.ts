import { BerthError } from "../../../runner/errors.ts";
import type { MachineShell } from "../machine-shell.ts";
import { inSetupShell } from "./setup-shell.ts";

export type PackageManager = "apt" | "dnf" | "zypper" | "apk";

/** What decides how a machine is set up. What is missing is not in here: each step looks for itself. */
export type SetupFacts = {
  /** `linux` */
  readonly os: string;
  /** As `uname -m` says it: `x86_64`. */
  readonly machine: string;
  /** `6.1.0-18-amd64` */
  readonly kernel: string;
  readonly distribution: {
    /** `debian` */
    readonly id: string;
    readonly like: readonly string[];
    /** `12` */
    readonly version: string;
    /** `Debian GNU/Linux 12 (bookworm)` */
    readonly name: string;
  };
  readonly packageManager: PackageManager | undefined;
  readonly user: string;
  readonly uid: number;
  readonly home: string;
  /** What is in the home folder's way of holding files: `ext2/ext3`, `nfs`. */
  readonly homeFilesystem: string;
  readonly sudo: "root" | "passwordless" | "none";
  readonly init: "systemd" | "openrc" | "none";
  /** systemd can keep services for a user. */
  readonly hasSessionBus: boolean;
  /** The user's services start at boot and outlive the logout. */
  readonly lingers: boolean;
  /** systemd hands all control groups that limits need to users' services. */
  readonly delegates: boolean;
  readonly cgroupVersion: "1" | "2" | undefined;
  readonly userNamespaces: {
    /** `user.max_user_namespaces`; `undefined` where the kernel has no such setting. */
    readonly most: number | undefined;
    /** `kernel.unprivileged_userns_clone` is 0. */
    readonly forbidden: boolean;
    /** AppArmor lets only programs with a profile make them. */
    readonly restrictedByAppArmor: boolean;
  };
  readonly tun: "open" | "shut" | "missing";
  /** Lines of /etc/subuid and /etc/subgid: `ubuntu:100000:65536`. */
  readonly subuid: readonly string[];
  readonly subgid: readonly string[];
  /** Programs of interest and where they are. */
  readonly programs: { readonly [name: string]: string };
  /** Docker's own packages are installed, or their repository is configured. */
  readonly hasDockerCe: boolean;
  /** Debian asks it whether a package may start its service. */
  readonly hasServicePolicy: boolean;
  readonly answers: { readonly docker: boolean; readonly rootless: boolean };
  /** Where the rootless engine of this user listens, or would. */
  readonly rootlessSocket: string;
  readonly nvidia: { readonly devices: number; readonly driverWorks: boolean };
};

/**
 * Looks at a machine; changes nothing.
 *
 * @throws {BerthError} `HOST_UNREACHABLE`; `SETUP_FAILED` when the machine says nothing that can be read.
 */
export async function readSetupFacts(
  shell: MachineShell,
  signal: AbortSignal,
): Promise<SetupFacts> {
  const { stdout, stderr } = await shell.run(inSetupShell(SCRIPT), { signal, limitMs: 60_000 });
  if (!stdout.endsWith("end=1\n")) {
    throw new BerthError("SETUP_FAILED", {
      message: `The machine did not say what it has: ${stderr.trim().split("\n").at(-1) || "its shell printed nothing"}`,
      remedy: 'It has to run POSIX shell scripts; try "ssh HOST true".',
    });
  }
  return factsOf(readPairs(stdout));
}

type Pairs = ReadonlyMap<string, readonly string[]>;

/** Lines `key=value`; a key may come several times. */
function readPairs(text: string): Pairs {
  const pairs = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    const at = line.indexOf("=");
    if (at < 1) continue;
    const key = line.slice(0, at);
    pairs.set(key, [...(pairs.get(key) ?? []), line.slice(at + 1).trim()]);
  }
  return pairs;
}

function factsOf(pairs: Pairs): SetupFacts {
  const one = (key: string) => pairs.get(key)?.[0] ?? "";
  const flag = (key: string) => one(key) === "1";
  const most = Number.parseInt(one("userns-most"), 10);
  return {
    os: one("os").toLowerCase(),
    machine: one("machine"),
    kernel: one("kernel"),
    distribution: {
      id: one("id"),
      like: one("like").split(" ").filter(Boolean),
      version: one("version"),
      name: one("name") || one("id") || "an unknown system",
    },
    packageManager: (["apt", "dnf", "zypper", "apk"] as const).find((name) => one("pm") === name),
    user: one("user"),
    uid: Number(one("uid")),
    home: one("home"),
    homeFilesystem: one("home-fs"),
    sudo: one("uid") === "0" ? "root" : flag("sudo") ? "passwordless" : "none",
    init: (["systemd", "openrc"] as const).find((name) => one("init") === name) ?? "none",
    hasSessionBus: flag("session-bus"),
    lingers: flag("linger"),
    delegates: flag("delegates"),
    cgroupVersion: (["1", "2"] as const).find((version) => one("cgroup") === version),
    userNamespaces: {
      most: Number.isNaN(most) ? undefined : most,
      forbidden: one("userns-clone") === "0",
      restrictedByAppArmor: flag("userns-apparmor"),
    },
    tun: (["open", "shut"] as const).find((state) => one("tun") === state) ?? "missing",
    subuid: pairs.get("subuid") ?? [],
    subgid: pairs.get("subgid") ?? [],
    programs: Object.fromEntries((pairs.get("program") ?? []).map(splitProgram)),
    hasDockerCe: flag("docker-ce"),
    hasServicePolicy: flag("policy"),
    answers: { docker: flag("docker-answers"), rootless: flag("rootless-answers") },
    rootlessSocket: one("rootless-socket"),
    nvidia: { devices: Number(one("nvidia-devices")), driverWorks: flag("nvidia-driver") },
  };
}

function splitProgram(line: string): [string, string] {
  const at = line.indexOf(" ");
  return [line.slice(0, at), line.slice(at + 1)];
}

/** Answers are asked for with a limit, for a program that hangs. */
const SCRIPT = `
limited() { if command -v timeout >/dev/null 2>&1; then timeout 10 "$@"; else "$@"; fi; }
yes() { "$@" >/dev/null 2>&1 </dev/null && echo 1 || echo 0; }
echo "os=$(uname -s)"; echo "machine=$(uname -m)"; echo "kernel=$(uname -r)"
( ID= ID_LIKE= VERSION_ID= PRETTY_NAME=; . /etc/os-release 2>/dev/null
  echo "id=$ID"; echo "like=$ID_LIKE"; echo "version=$VERSION_ID"; echo "name=$PRETTY_NAME" )
for pm in apt-get dnf zypper apk; do command -v $pm >/dev/null 2>&1 && { echo "pm=\${pm%-get}"; break; }; done
uid=$(id -u)
echo "user=$(id -un)"; echo "uid=$uid"; echo "home=$HOME"
echo "home-fs=$(stat -f -c %T "$HOME" 2>/dev/null)"
echo "sudo=$(yes limited sudo -n true)"
if [ -d /run/systemd/system ]; then echo init=systemd; elif [ -d /run/openrc ]; then echo init=openrc; else echo init=none; fi
[ -e /usr/lib/systemd/user/dbus.socket ] && echo session-bus=1
[ -e "/var/lib/systemd/linger/$(id -un)" ] && echo linger=1
grep -Eqs 'cpu .*memory' "/sys/fs/cgroup/user.slice/user-$uid.slice/user@$uid.service/cgroup.controllers" && echo delegates=1
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then echo cgroup=2; elif grep -qs ' - cgroup ' /proc/self/mountinfo; then echo cgroup=1; fi
echo "userns-most=$(cat /proc/sys/user/max_user_namespaces 2>/dev/null)"
echo "userns-clone=$(cat /proc/sys/kernel/unprivileged_userns_clone 2>/dev/null)"
echo "userns-apparmor=$(cat /proc/sys/kernel/apparmor_restrict_unprivileged_userns 2>/dev/null)"
if [ -r /dev/net/tun ] && [ -w /dev/net/tun ]; then echo tun=open; elif [ -e /dev/net/tun ]; then echo tun=shut; fi
for kind in subuid subgid; do [ -r /etc/$kind ] && sed "s/^/$kind=/" /etc/$kind; done
for program in docker dockerd containerd rootlesskit docker-rootlesskit newuidmap slirp4netns pasta fuse-overlayfs iptables crontab curl gpg nvidia-smi nvidia-ctk; do
  at=$(command -v $program 2>/dev/null) && echo "program=$program $at"
done
at=$(rootless_script) && echo "program=dockerd-rootless.sh $at"
ce=0
grep -qs '^Package: docker-ce$' /var/lib/dpkg/status && ce=1
grep -rqs 'docker\\.com/linux' /etc/apt/sources.list /etc/apt/sources.list.d /etc/yum.repos.d /etc/zypp/repos.d && ce=1
echo "docker-ce=$ce"
[ -e /usr/sbin/policy-rc.d ] && ! grep -qs 'Put here by Berth' /usr/sbin/policy-rc.d && echo policy=1
echo "docker-answers=$(yes as_root timeout 10 docker -H unix:///var/run/docker.sock version)"
socket=$(rootless_socket)
echo "rootless-socket=$socket"
[ "$uid" = 0 ] || echo "rootless-answers=$(yes limited docker -H "unix://$socket" version)"
count=0
for device in /sys/bus/pci/devices/*; do
  [ -r "$device/class" ] || continue
  case $(cat "$device/vendor")$(cat "$device/class") in 0x10de0x03*) count=$((count + 1)) ;; esac
done
echo "nvidia-devices=$count"
echo "nvidia-driver=$(yes limited nvidia-smi -L)"
echo end=1
`;
