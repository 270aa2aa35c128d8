import { createHash } from "node:crypto";
import type { ImageContext } from "../runner/image/job-image.ts";

/** What a host machine has before anything is set up: an engine, or sshd and no more. */
export type HostFlavour = "engine" | "bare";

/** Image of a host machine, named for its content; it is kept from one run of the tests to the next. */
export function hostImage(flavour: HostFlavour): ImageContext {
  const files = new Map([
    ["Dockerfile", dockerfile(flavour)],
    ["boot", BOOT],
  ]);
  const hash = createHash("sha256").update(JSON.stringify([...files]));
  return { tag: `${HOST_REPOSITORY}:${flavour}-${hash.digest("hex").slice(0, 12)}`, files };
}

export const HOST_REPOSITORY = "berth-test-host";

// Both begin alike, so that the second one built takes that part from the engine's build cache. Package lists stay: set-up is tried on the bare one.
function dockerfile(flavour: HostFlavour): string {
  const install = "apt-get install --yes --no-install-recommends";
  const rootless = "uidmap rootlesskit slirp4netns fuse-overlayfs";
  return [
    "ARG BASE",
    "FROM $BASE",
    `RUN apt-get update && ${install} ca-certificates cpio iproute2 openssh-server procps sudo \\`,
    "  && rm -f /etc/ssh/ssh_host_* && mkdir -p /run/sshd \\",
    "  && useradd --create-home --shell /bin/bash --uid 1000 --password '*' ubuntu \\",
    "  && echo 'ubuntu ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/ubuntu",
    ...(flavour === "engine" ? [`RUN ${install} docker.io iptables ${rootless}`] : []),
    "COPY boot /usr/local/sbin/boot",
    'ENTRYPOINT ["/bin/sh", "/usr/local/sbin/boot"]',
    "",
  ].join("\n");
}

/**
 * What a machine does when it comes up. `/run` is empty after a reboot, keys are made at the first one. Control groups are mounted anew below the
 * container's own, so that those of the containers within go with it, and its limits bound them.
 */
const BOOT = `set -u
mount -o remount,rw /sys
mount -o remount,rw /proc/sys

if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  mount -o remount,rw /sys/fs/cgroup
  mkdir -p /sys/fs/cgroup/init
  while read -r pid; do echo "$pid" > /sys/fs/cgroup/init/cgroup.procs; done < /sys/fs/cgroup/cgroup.procs
  sed 's/^/+/; s/ / +/g' /sys/fs/cgroup/cgroup.controllers > /sys/fs/cgroup/cgroup.subtree_control
else
  umount /sys/fs/cgroup/* && umount /sys/fs/cgroup
  mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup
  cut -d: -f2 /proc/self/cgroup | while read -r controllers; do
    [ -n "$controllers" ] || continue
    mkdir -p "/sys/fs/cgroup/\${controllers#name=}"
    mount -t cgroup -o "$controllers" cgroup "/sys/fs/cgroup/\${controllers#name=}"
  done
fi

# The engine's own name server cannot be reached from containers within.
[ ! -e /etc/nameservers ] || cat /etc/nameservers > /etc/resolv.conf

rm -rf /run/* /tmp/*
mkdir -p /run/sshd /run/lock
mkdir -p -m 1777 /tmp
[ -e /dev/net/tun ] || { mkdir -p /dev/net && mknod /dev/net/tun c 10 200; }
[ -e /dev/fuse ] || mknod /dev/fuse c 10 229
chmod 666 /dev/net/tun /dev/fuse

# The content of layers and volumes comes from the seed, read-only; what the engine writes beside it is copied.
if [ -d /seed/overlay2 ]; then
  data=/var/lib/docker
  [ -d $data/image ] || (cd /seed && find image overlay2 volumes -path '*/diff/*' -prune -o -path '*/_data/*' -prune -o -print0 \
    | cpio --null --pass-through --make-directories --quiet $data)
  for content in /seed/overlay2/*/diff /seed/volumes/*/_data; do
    mount --bind "$content" "$data/\${content#/seed/}"
  done
fi

cat > /usr/local/sbin/start-engine <<'END'
command -v dockerd > /dev/null || exit 0
dockerd >> /var/log/dockerd.log 2>&1 < /dev/null &
END
sh /usr/local/sbin/start-engine

if [ ! -e /etc/ssh/ssh_host_ed25519_key ]; then
  ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
  ssh-keygen -q -t ed25519 -N '' -C host-machine -f /root/login-key
  for home in /root /home/ubuntu; do
    mkdir -p -m 700 $home/.ssh
    cat /root/login-key.pub >> $home/.ssh/authorized_keys
    chmod 600 $home/.ssh/authorized_keys
  done
  chown -R ubuntu:ubuntu /home/ubuntu/.ssh
  [ ! -e /etc/passwords ] || chpasswd < /etc/passwords
fi

/usr/sbin/sshd
sleep infinity &
trap "kill $(cat /run/docker.pid) $(cat /run/sshd.pid) $! 2>/dev/null" TERM
wait
`;
