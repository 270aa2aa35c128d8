import { DIND_FOLDER, DIND_SOCKET } from "./dind-places.ts";

/** The daemon's container prints these, each on a line of its own. */
export const DIND_READY = "berth-dind: ready";
export const DIND_FAILED = "berth-dind: no container can be run in it: ";
export const DIND_PROVEN = "berth-dind: a container ran";

/** Where inner containers ask for names, where their daemon cannot hand on its own name server: an address that is nobody's (RFC 5737). */
const NAME_SERVER = "192.0.2.53";

/** What runs `DIND_SCRIPT`; the mode is its argument. */
export const DIND_ENTRYPOINT = ["/bin/sh", "-c", 'eval "$BERTH_SCRIPT"', "berth-dind"];

/**
 * The first process of a daemon's container, which has it as `BERTH_SCRIPT`. It needs no more of its image than `docker:dind` has.
 *
 * - The daemon gets a control group and a namespace of them below those of its container, so that nothing in it finds the files that hold the job's limits.
 * - A name server that listens on the job's own localhost, as on all networks but `bridge`, is not there for inner containers: their questions are led to it.
 * - The client and its plugins are left beside the socket, for jobs whose image has none.
 */
export const DIND_SCRIPT = `mode=$1; stage=\${2:-first}
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export DOCKER_HOST=${DIND_SOCKET.replace(/^/, "unix://")}
unset DOCKER_TLS_VERIFY DOCKER_CERT_PATH DOCKER_CONTEXT
groups=/sys/fs/cgroup

own_groups() {
  for at in $groups $groups/*; do
    [ -d "$at" ] && [ ! -L "$at" ] && mount -o remount,bind,rw "$at" 2>/dev/null
  done
  if [ -e $groups/cgroup.controllers ]; then
    mkdir -p $groups/inside && echo 0 >$groups/inside/cgroup.procs || return 1
    hand_down $groups
  else
    for at in $groups/*/; do
      [ -L "\${at%/}" ] || [ ! -e "$at/cgroup.procs" ] && continue
      [ -e "$at/cgroup.clone_children" ] && echo 1 >"$at/cgroup.clone_children"
      mkdir -p "$at/inside" && echo 0 >"$at/inside/cgroup.procs" || return 1
    done
  fi 2>/dev/null
}

hand_down() {
  for controller in $(cat "$1/cgroup.controllers"); do
    echo "+$controller" >"$1/cgroup.subtree_control"
  done 2>/dev/null
}

mount_groups() {
  if [ -e $groups/cgroup.controllers ]; then
    umount $groups && mount -t cgroup2 cgroup $groups || return 1
    mkdir -p $groups/init && echo 0 >$groups/init/cgroup.procs && hand_down $groups
    return
  fi
  for at in $groups/*/; do
    at=\${at%/}; name=\${at##*/}
    [ -L "$at" ] || [ ! -e "$at/cgroup.procs" ] && continue
    [ "$name" = systemd ] && name=none,name=systemd
    if [ "$name" = unified ]; then umount "$at"; continue; fi
    umount "$at" && mount -t cgroup -o "$name" cgroup "$at" || return 1
  done
}

# The kind of packet filter that the engine outside filled for this network, else one that works.
choose_filter() {
  for kind in legacy nft; do
    "iptables-$kind" -w 5 -t nat -S DOCKER_OUTPUT >/dev/null 2>&1 && break
    kind=
  done
  if [ -z "$kind" ] && ! iptables -w 5 -t nat -S >/dev/null 2>&1; then
    kind=legacy
    [ -d /usr/local/sbin/.iptables-legacy ] && PATH=/usr/local/sbin/.iptables-legacy:$PATH && return
  fi
  [ -z "$kind" ] && return
  mkdir -p /run/berth-dind/bin
  for program in iptables iptables-save iptables-restore ip6tables ip6tables-save ip6tables-restore; do
    real=$(command -v "$(echo "$program" | sed "s/tables/tables-$kind/")") && ln -sf "$real" /run/berth-dind/bin/$program
  done
  PATH=/run/berth-dind/bin:$PATH
}

lead_names() {
  grep -q '^nameserver 127' /etc/resolv.conf || return 0
  echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet || return 0
  for protocol in udp tcp; do
    to=$(iptables -w 5 -t nat -S DOCKER_OUTPUT 2>/dev/null | sed -n "s/.* -p $protocol .*--to-destination \\(127[0-9.:]*\\).*/\\1/p" | head -n 1)
    [ -n "$to" ] || return 0
    iptables -w 5 -t nat -A PREROUTING -d ${NAME_SERVER} -p $protocol --dport 53 -j DNAT --to-destination "$to" || return 0
  done
  names="--dns ${NAME_SERVER}"
}

# It may need a C library, which the job's image need not have.
leave_client() {
  mkdir -p ${DIND_FOLDER}/bin ${DIND_FOLDER}/lib ${DIND_FOLDER}/cli-plugins
  client=$(command -v docker)
  libraries=$(LD_TRACE_LOADED_OBJECTS=1 "$client" 2>/dev/null </dev/null | grep -o '/[^ ]*/[^ /]*\\.so[^ ]*')
  loader=
  for library in $libraries; do
    case \${library##*/} in ld-*) loader=\${library##*/} ;; esac
  done
  if [ -n "$loader" ]; then
    cp -L $libraries "$client" ${DIND_FOLDER}/lib/
    printf '#!/bin/sh\\nexec ${DIND_FOLDER}/lib/%s --library-path ${DIND_FOLDER}/lib ${DIND_FOLDER}/lib/docker "$@"\\n' "$loader" >${DIND_FOLDER}/bin/docker
    chmod 755 ${DIND_FOLDER}/bin/docker
  else
    cp -L "$client" ${DIND_FOLDER}/bin/docker
  fi
  for at in /usr/local/lib /usr/local/libexec /usr/lib /usr/libexec; do
    for plugin in $at/docker/cli-plugins/*; do
      [ -e "$plugin" ] && cp -L "$plugin" ${DIND_FOLDER}/cli-plugins/
    done
  done
}

run_container() {
  mkdir -p /tmp/proof && cp -L "$(command -v docker-init || command -v tini-static)" /tmp/proof/init \\
    && tar -C /tmp/proof -cf - init | docker import - berth-proof \\
    && docker run --rm berth-proof /init --version
}

await_daemon() {
  [ -n "\${BERTH_CLIENT:-}" ] && leave_client
  until docker version >/dev/null 2>&1; do sleep 0.1; done
  chmod 666 ${DIND_SOCKET}
  echo '${DIND_READY}'
  [ -n "\${BERTH_PROOF:-}" ] || return
  if said=$(run_container 2>&1); then echo '${DIND_PROVEN}'; else echo "${DIND_FAILED}$said" | tr '\\n' ' '; echo; fi
}

for program in dockerd docker; do
  command -v $program >/dev/null || { echo "the image has no $program"; exit 1; }
done
# Nobody may be left to end a daemon that only has to show what it can do.
limit=
[ -z "\${BERTH_PROOF:-}" ] || limit="timeout -s KILL 120"
daemon="$limit dockerd --log-level warn --data-root /var/lib/docker -H $DOCKER_HOST"
init=$(command -v docker-init || command -v tini) && init="$init --"

if [ "$mode" = rootless ]; then
  command -v rootlesskit >/dev/null || { echo "the image has no rootlesskit"; exit 1; }
  home=/run/user/1000
  grep -q '^[^:]*:[^:]*:1000:' /etc/passwd || echo "rootless:x:1000:1000::$home:/bin/sh" >>/etc/passwd
  user=$(sed -n 's/^\\([^:]*\\):[^:]*:1000:.*/\\1/p' /etc/passwd | head -n 1)
  # All that a container on a rootless engine has, too; and neither root nor anyone else is root in there.
  most=0
  while read -r first _ count; do [ $((first + count)) -gt $most ] && most=$((first + count)); done </proc/self/uid_map
  [ $most -gt 65536 ] && most=65536
  for file in /etc/subuid /etc/subgid; do printf '%s:1:999\\n%s:1001:%s\\n' "$user" "$user" $((most - 1001)) >$file; done
  chmod 666 /dev/net/tun 2>/dev/null
  mkdir -p $home /var/lib/docker
  chown 1000:1000 $home /var/lib/docker ${DIND_FOLDER}
  as="setpriv --reuid 1000 --regid 1000 --clear-groups sh -c"
  setpriv --help 2>&1 | grep -q reuid || as="su -s /bin/sh $user -c"
  await_daemon &
  unset BERTH_SCRIPT
  export HOME=$home XDG_RUNTIME_DIR=$home
  exec $init $as "exec rootlesskit --net=slirp4netns --mtu=1500 --disable-host-loopback --port-driver=builtin \\
    --copy-up=/etc --copy-up=/run --state-dir=$home/kit \\
    sh -c 'rm -rf /run/docker /run/containerd /run/xtables.lock; exec $daemon --exec-root $home/docker --pidfile $home/docker.pid'"
fi

if [ "$stage" = first ]; then
  if unshare --cgroup --mount true 2>/dev/null && own_groups; then
    exec unshare --cgroup --mount /bin/sh -c 'eval "$BERTH_SCRIPT"' berth-dind "$mode" second
  fi
fi
[ "$stage" = second ] && { mount_groups || { echo "its control groups cannot be mounted"; exit 1; }; }
unset BERTH_SCRIPT
mount -o remount,bind,rw /proc/sys 2>/dev/null
names=
choose_filter
lead_names
await_daemon &
exec $init $daemon --exec-root /run/berth-dind/docker --pidfile /run/berth-dind/docker.pid $names
`;
