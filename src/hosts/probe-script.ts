import { quote } from "../../runner/quote.ts";

/** What the set-up asks for beside what the probe itself uses. */
const PROGRAMS = [
  ...["docker", "dockerd", "podman", "runc", "crun", "runsc", "sysbox-runc"],
  ...[
    "nvidia-smi",
    "nvidia-ctk",
    "nvidia-container-cli",
    "nvidia-container-runtime",
    "nvidia-container-runtime-hook",
  ],
  ...["rocm-smi", "sudo", "systemctl", "loginctl", "iptables", "nft"],
  ...[
    "dockerd-rootless.sh",
    "dockerd-rootless-setuptool.sh",
    "rootlesskit",
    "newuidmap",
    "newgidmap",
  ],
  ...["slirp4netns", "pasta", "fuse-overlayfs", "curl", "wget", "gpg"],
];

/**
 * The one script that looks at a machine; any POSIX shell runs it, as any user, here or over SSH. It changes nothing. What it prints
 * is read by `probe-sections.ts`: each part between a line `NONCE begin NAME` and `NONCE end CODE`.
 *
 * @param nonce Random, so that nothing a program prints can be taken for a line of ours.
 * @param options `root` stands before absolute paths; `limitS` is how long one program may take, in seconds; `paths` are folders whose
 * disks are wanted.
 */
export function probeScript(
  nonce: string,
  {
    root = "",
    limitS = 10,
    paths = [],
  }: { root?: string; limitS?: number; paths?: readonly string[] } = {},
): string {
  const folders = ["/", "/var/lib/docker", ...paths].map(quote).join(" ");
  return `LC_ALL=C; export LC_ALL
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH
root=${quote(root)}

# A program that hangs is killed; its own children do not count.
limited() {
  "$@" </dev/null & pid=$!
  ( sleep ${limitS} & nap=$!; trap 'kill $nap; exit' TERM; wait $nap; kill -9 $pid ) >/dev/null 2>&1 & dog=$!
  wait $pid 2>/dev/null; code=$?
  kill $dog 2>/dev/null
  return $code
}
part() {
  echo "${nonce} begin $1"; shift
  "$@" 2>&1; code=$?
  echo; echo "${nonce} end $code"
}
has() { command -v "$1" >/dev/null 2>&1; }

system() {
  uname -n; uname -s; uname -r; uname -m
  getconf _NPROCESSORS_ONLN 2>/dev/null || grep -c ^processor /proc/cpuinfo
}
identity() {
  echo "machine $(cat "$root"/etc/machine-id 2>/dev/null)"
  echo "boot $(cat "$root"/proc/sys/kernel/random/boot_id 2>/dev/null)"
  echo "home $HOME"
  [ -d "$root"/run/systemd/system ] && echo "systemd yes"
  if [ -e "$root"/.dockerenv ] || [ -e "$root"/run/.containerenv ] || [ -e "$root"/run/systemd/container ]; then echo "container yes"; fi
  for manager in apt-get dnf yum zypper apk pacman; do
    has $manager && { echo "packages $manager"; break; }
  done
  :
}
# What rootless Docker needs of the system.
ground() {
  name=$(id -un); uid=$(id -u)
  for kind in uid gid; do
    echo "sub$kind $(awk -F: -v n="$name" -v u="$uid" '$1 == n || $1 == u { sum += $3 } END { print sum + 0 }' "$root"/etc/sub$kind 2>/dev/null)"
  done
  tun="$root"/dev/net/tun
  if [ ! -e "$tun" ]; then echo "tun missing"; elif [ -r "$tun" ] && [ -w "$tun" ]; then echo "tun open"; else echo "tun shut"; fi
  for knob in kernel/unprivileged_userns_clone user/max_user_namespaces kernel/apparmor_restrict_unprivileged_userns; do
    [ -r "$root/proc/sys/$knob" ] && echo "$knob $(cat "$root/proc/sys/$knob")"
  done
  echo "controllers $(cat /sys/fs/cgroup/user.slice/user-$uid.slice/user@$uid.service/cgroup.controllers 2>/dev/null)"
  [ -e "$root/var/lib/systemd/linger/$name" ] && echo "lingers yes"
  for folder in "$XDG_RUNTIME_DIR" "/run/user/$uid"; do
    [ -d "$folder" ] && [ -w "$folder" ] && { echo "runtime $folder"; break; }
  done
  :
}
devices() {
  for device in "$root"/sys/bus/pci/devices/*; do
    [ -r "$device/class" ] || continue
    read -r class <"$device/class"; read -r vendor <"$device/vendor"; read -r id <"$device/device"
    case $class in 0x03*|0x12*) ;; *) continue ;; esac
    case $vendor in 0x10de|0x1002|0x8086) ;; *) continue ;; esac
    driver=$(readlink "$device/driver"); name=
    for ids in "$root"/usr/share/misc/pci.ids "$root"/usr/share/hwdata/pci.ids; do
      [ -r "$ids" ] || continue
      name=$(awk -v v="\${vendor#0x}" -v d="\${id#0x}" '/^[0-9a-f]/ { on = substr($0, 1, 4) == v } on && /^\\t[0-9a-f]/ && substr($0, 2, 4) == d { print substr($0, 8); exit }' "$ids")
      break
    done
    echo "\${device##*/} $class $vendor $id \${driver##*/}|$name"
  done
  :
}
# What the driver of AMD tells of each GPU, and which processes compute on it.
amd() {
  [ -r "$root"/sys/module/amdgpu/version ] && echo "driver $(cat "$root"/sys/module/amdgpu/version)"
  for vram in "$root"/sys/bus/pci/devices/*/mem_info_vram_total; do
    [ -r "$vram" ] || continue
    device=\${vram%/*}; address=\${device##*/}
    echo "memory $address $(cat "$vram")"
    [ -r "$device/unique_id" ] && echo "unique $address $(cat "$device/unique_id")"
    [ -r "$device/product_name" ] && echo "product $address $(cat "$device/product_name")"
    for render in "$device"/drm/renderD*; do [ -e "$render" ] && echo "render $address \${render##*/}"; done
  done
  for node in "$root"/sys/class/kfd/kfd/topology/nodes/*; do
    [ -r "$node/gpu_id" ] || continue
    read -r id <"$node/gpu_id"
    minor=$(sed -n 's/^drm_render_minor //p' "$node/properties" 2>/dev/null)
    for use in "$root"/sys/class/kfd/kfd/proc/*/vram_"$id"; do
      [ -r "$use" ] || continue
      pid=\${use%/*}; pid=\${pid##*/}
      echo "process renderD$minor $pid $(cat "$use") $(cat "$root/proc/$pid/comm" 2>/dev/null)"
    done
  done
  :
}
nodes() {
  for node in "$root"/dev/kfd "$root"/dev/dri/renderD* "$root"/dev/nvidia[0-9]* "$root"/dev/nvidiactl; do
    [ -e "$node" ] || continue
    if [ -r "$node" ] && [ -w "$node" ]; then echo "open \${node#"$root"}"; else echo "shut \${node#"$root"}"; fi
  done
  :
}
driver_gpus() {
  for gpu in "$root"/proc/driver/nvidia/gpus/*; do
    [ -d "$gpu" ] || continue
    echo "bus \${gpu##*/}"; cat "$gpu/information"
  done
  :
}
sockets() {
  uid=$(id -u)
  runtime=\${XDG_RUNTIME_DIR:-/run/user/$uid}
  # This user's daemons and the system's tell where they listen; those of others are theirs.
  daemons=$(grep -lx dockerd /proc/[0-9]*/comm 2>/dev/null | while read -r comm; do
    case $(stat -c %u "\${comm%/comm}") in 0|"$uid") ;; *) continue ;; esac
    tr '\\0' '\\n' <"\${comm%comm}cmdline" | sed -n 's|^\\(.*=\\)\\{0,1\\}unix://\\(/.*\\)|\\2|p'
    tr '\\0' '\\n' <"\${comm%comm}environ" | sed -n 's|^XDG_RUNTIME_DIR=\\(/.*\\)|\\1/docker.sock|p'
  done 2>/dev/null)
  printf '%s\\n' /var/run/docker.sock "$runtime/docker.sock" "/run/user/$uid/docker.sock" "$HOME/.docker/run/docker.sock" /run/podman/podman.sock "$runtime/podman/podman.sock" "$daemons" | while read -r socket; do
    # A folder that only root may enter hides what is in it.
    case $socket in /*) ;; *) continue ;; esac
    [ -S "$socket" ] || continue
    if [ -r "$socket" ] && [ -w "$socket" ]; then echo "open $socket"; else echo "shut $socket"; fi
  done
  :
}
programs() {
  for program in ${PROGRAMS.join(" ")}; do
    has $program && echo "$program $(command -v $program)"
  done
  :
}
device_interface() {
  grep -l nvidia.com/gpu "$root"/etc/cdi/* "$root"/var/run/cdi/* 2>/dev/null
  :
}
# Not every user may read it.
kernel_log() { limited dmesg 2>/dev/null | grep -F 'NVRM: Xid' | tail -n 100; }
control_groups() {
  if [ -f /sys/fs/cgroup/cgroup.controllers ]; then echo 2; elif [ -d /sys/fs/cgroup ]; then echo 1; fi
}

echo "${nonce} clock $(date +%s.%N)"
part system system
part identity identity
part ground ground
part release cat /etc/os-release
part memory cat /proc/meminfo
part user id
part control-groups control_groups
for folder in ${folders}; do
  [ -d "$folder" ] && part disk limited df -Pk "$folder"
done
part programs programs
part sockets sockets
part sudo limited sudo -n true
has podman && part podman limited podman --version
has runc && part runc limited runc --version
if has nvidia-ctk; then part toolkit limited nvidia-ctk --version
elif has nvidia-container-cli; then part toolkit limited nvidia-container-cli --version
fi
has nvidia-container-cli && part toolkit-library limited nvidia-container-cli --version
[ -r "$root"/etc/nvidia-container-runtime/config.toml ] && part toolkit-config cat "$root"/etc/nvidia-container-runtime/config.toml
part device-interface device_interface
part pci devices
part nodes nodes
part amd amd
[ -r "$root"/proc/driver/nvidia/version ] && part driver cat "$root"/proc/driver/nvidia/version
part driver-gpus driver_gpus
if has nvidia-smi; then
  part smi-query limited nvidia-smi --query-gpu=index,uuid,name,memory.total,driver_version,compute_cap,mig.mode.current --format=csv,noheader,nounits
  # Killed after its time: the other questions would only hang as well.
  if [ $code -lt 124 ] || [ $code -eq 255 ]; then
    # Drivers before 470 do not know all of the fields.
    [ $code -eq 2 ] && part smi-query-old limited nvidia-smi --query-gpu=index,uuid,name,memory.total,driver_version --format=csv,noheader,nounits
    part smi-list limited nvidia-smi -L
    part smi-bus limited nvidia-smi --query-gpu=uuid,pci.bus_id,ecc.errors.uncorrected.volatile.total,retired_pages.pending --format=csv,noheader
    part smi-apps limited nvidia-smi --query-compute-apps=gpu_uuid,pid,process_name,used_memory --format=csv,noheader,nounits
    part smi-summary limited nvidia-smi
    # Neither is known to every driver.
    part smi-remapped limited nvidia-smi --query-remapped-rows=gpu_uuid,remapped_rows.pending,remapped_rows.failure --format=csv,noheader
    part smi-recovery limited nvidia-smi --query-gpu=uuid,gpu_recovery_action --format=csv,noheader
  fi
fi
has dmesg && part kernel-log kernel_log
echo "${nonce} done"
`;
}
