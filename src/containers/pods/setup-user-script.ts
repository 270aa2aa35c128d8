/** Where all of it lies in the container. */
const POD_FOLDER = "/etc/berth-pod";
export const SSHD_CONFIG = `${POD_FOLDER}/sshd_config`;

const COMMON = `set -u
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:\${PATH:-}
export PATH DEBIAN_FRONTEND=noninteractive LC_ALL=C
at=${POD_FOLDER}
say() { printf '%s\\n' "$*" >&2; }
fail() { printf 'failed=%s\\n' "$*"; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }
field() { sed -n "s/^$1:\\(.*\\)/\\1/p" /etc/passwd | head -n 1 | cut -d: -f"$2"; }
`;

/**
 * Makes a user with passwordless sudo, an SSH server for its keys, and mosh; does nothing twice. It touches the image's own SSH settings nowhere.
 *
 * In its environment: `POD_USER`; `POD_KEYS`, lines of authorized_keys; `POD_SSH_PORT`, empty for no listening server; `POD_SETENV`, as sshd_config has it;
 * `POD_PATH`. It prints `name=value` lines: `user`, `uid`, `hostkey`, `sshd`, `mosh` (empty: there is none), `moshwhy`, `failed`.
 */
export const SETUP_USER_SCRIPT = `${COMMON}
[ "$(id -u)" = 0 ] || fail "the engine does not let root in"

programs_missing() {
  missing=
  for one in sshd ssh-keygen ssh sudo; do has "$one" || missing="$missing $one"; done
  [ -n "$missing" ]
}

# Packages that start services are kept from it: there is nothing to start them with, and the image's own settings would hold.
quietly() {
  policy=
  if has apt-get && [ ! -e /usr/sbin/policy-rc.d ]; then
    policy=1
    printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d
  fi
  "$@" </dev/null >&2
  ended=$?
  [ -z "$policy" ] || rm -f /usr/sbin/policy-rc.d
  return $ended
}

apt_install() {
  set -- -y --no-install-recommends -o DPkg::Lock::Timeout=120 -o Acquire::Retries=2 install "$@"
  quietly apt-get "$@" || { quietly apt-get -q update && quietly apt-get "$@"; }
}

install() {
  say "installs $*"
  if has apt-get; then apt_install "$@"
  elif has apk; then quietly apk add --no-cache "$@"
  elif has dnf; then quietly dnf -y install "$@"
  elif has microdnf; then quietly microdnf -y install "$@"
  elif has yum; then quietly yum -y install "$@"
  else return 127
  fi
}

if programs_missing; then
  if has apt-get; then packages="sudo openssh-server openssh-client"
  elif has apk; then packages="sudo openssh"
  elif has dnf || has microdnf || has yum; then packages="sudo openssh-server openssh-clients shadow-utils"
  else fail "the image has none of apt-get, apk, dnf, microdnf and yum, and lacks$missing"
  fi
  install $packages || fail "its packages ($packages) could not be installed"
  if programs_missing; then fail "its packages are installed, and it still lacks$missing"; fi
fi
moshwhy=
if ! has mosh-server; then
  install mosh || { has dnf && quietly dnf -y install epel-release && install mosh; } ||
    moshwhy="the package mosh could not be installed"
fi

shell=/bin/sh
[ ! -x /bin/bash ] || shell=/bin/bash

free_id() {
  id=1000
  while grep -q "^[^:]*:[^:]*:$id:" /etc/passwd /etc/group; do id=$((id + 1)); done
  echo "$id"
}

write_user() {
  id=$(free_id)
  gid=$id
  if grep -q "^$POD_USER:" /etc/group; then gid=$(sed -n "s/^$POD_USER:[^:]*:\\([0-9]*\\).*/\\1/p" /etc/group)
  else echo "$POD_USER:x:$gid:" >> /etc/group
  fi
  echo "$POD_USER:x:$id:$gid::/home/$POD_USER:$shell" >> /etc/passwd
  [ ! -e /etc/shadow ] || echo "$POD_USER:*:19000:0:99999:7:::" >> /etc/shadow
}

if [ -z "$(field "$POD_USER" 2)" ]; then
  say "makes the user $POD_USER"
  group=
  if grep -q "^$POD_USER:" /etc/group; then group="-g $POD_USER"; fi
  if has useradd; then
    number=
    if ! grep -q '^[^:]*:[^:]*:1000:' /etc/passwd /etc/group; then number="-u 1000"; fi
    useradd -m -s "$shell" $group $number "$POD_USER" >&2
  elif has adduser && [ -z "$group" ]; then adduser -D -s "$shell" "$POD_USER" >&2
  else write_user
  fi
  [ -n "$(field "$POD_USER" 2)" ] || fail "the user $POD_USER could not be made"
fi
uid=$(field "$POD_USER" 2)
gid=$(field "$POD_USER" 3)
home=$(field "$POD_USER" 5)
[ "$uid" != 0 ] || fail "$POD_USER is root by another name (its number is 0)"

# Through a copy that is written back, so that owner, mode and mounts stay.
change() {
  sed "$1" "$2" > "$at.new" && cat "$at.new" > "$2"
  rm -f "$at.new"
}
case $home in
  / | /nonexistent | '')
    home=/home/$POD_USER
    change "s|^\\($POD_USER:[^:]*:[^:]*:[^:]*:[^:]*\\):[^:]*:|\\1:$home:|" /etc/passwd
    ;;
esac
case $(field "$POD_USER" 6) in
  */nologin | */false | '') change "s|^\\($POD_USER:.*\\):[^:]*$|\\1:$shell|" /etc/passwd ;;
esac
# A locked account may not log in with a key either; "*" is a password that nothing is equal to.
[ ! -e /etc/shadow ] || change "s|^$POD_USER:![^:]*:|$POD_USER:*:|" /etc/shadow
if [ ! -d "$home" ]; then
  mkdir -p "$home" && chown "$uid:$gid" "$home" && chmod 755 "$home" || fail "its home $home could not be made"
  if [ -d /etc/skel ]; then cp -R /etc/skel/. "$home"/ && chown -R "$uid:$gid" "$home"; fi
fi

mkdir -p /etc/sudoers.d "$at/authorized_keys" /run/sshd
chmod 755 "$at" "$at/authorized_keys" /run/sshd
[ -f /etc/sudoers ] || printf 'root ALL=(ALL:ALL) ALL\\n' > /etc/sudoers
grep -Eq '^[@#]includedir[[:space:]]+/etc/sudoers.d' /etc/sudoers || printf '#includedir /etc/sudoers.d\\n' >> /etc/sudoers
rule=/etc/sudoers.d/zz-berth-$POD_USER
printf 'Defaults:%s !requiretty\\n%s ALL=(ALL:ALL) NOPASSWD: ALL\\n' "$POD_USER" "$POD_USER" > "$rule"
chmod 0440 "$rule" /etc/sudoers

# The engine inside, if there is one: whoever is in its socket's group may use it. A socket that is mounted belongs to a machine outside and is left alone.
join_group() {
  if has usermod; then usermod -aG "$1" "$POD_USER" >&2
  elif has addgroup; then addgroup "$POD_USER" "$1" >&2
  else
    sed -n "s/^$1:[^:]*:[^:]*:\\(.*\\)/\\1/p" /etc/group | tr ',' '\\n' | grep -qx "$POD_USER" ||
      change "s/^\\($1:[^:]*:[^:]*:.*[^:]\\)$/\\1,$POD_USER/; s/^\\($1:[^:]*:[^:]*:\\)$/\\1$POD_USER/" /etc/group
  fi
}
if has dockerd || [ -S /var/run/docker.sock ]; then
  grep -q '^docker:' /etc/group || {
    if has groupadd; then groupadd -r docker >&2
    elif has addgroup; then addgroup -S docker >&2
    else echo "docker:x:$(free_id):" >> /etc/group
    fi
  }
  join_group docker
  if [ -S /var/run/docker.sock ] && ! grep -Eq ' (/var)?/run(/docker\\.sock)? ' /proc/self/mountinfo; then
    chgrp docker /var/run/docker.sock && chmod g+rw /var/run/docker.sock
  fi
fi

key=$at/ssh_host_ed25519_key
[ -s "$key" ] || ssh-keygen -q -t ed25519 -N '' -C berth-pod -f "$key" >&2 || fail "the server's key could not be made"
chmod 600 "$key"
list=$at/authorized_keys/$POD_USER
touch "$list"
printf '%s\\n' "$POD_KEYS" | while IFS= read -r line; do
  [ -z "$line" ] || grep -qxF -- "$line" "$list" || printf '%s\\n' "$line" >> "$list"
done
chmod 644 "$list"

write_config() {
  {
    echo "Port \${POD_SSH_PORT:-22}"
    echo "HostKey $key"
    echo "PidFile $at/sshd.pid"
    echo "AuthorizedKeysFile $at/authorized_keys/%u"
    echo "AllowUsers $(ls "$at/authorized_keys" | tr '\\n' ' ')"
    echo "AuthenticationMethods publickey"
    echo "PasswordAuthentication no"
    echo "ChallengeResponseAuthentication no"
    echo "PermitRootLogin no"
    echo "UsePAM no"
    echo "PrintMotd no"
    echo "Subsystem sftp internal-sftp"
    [ -z "$1" ] || echo "SetEnv $1"
  } > "$at/sshd_config"
  chmod 600 "$at/sshd_config"
}
sshd=$(command -v sshd)
write_config "$POD_SETENV"
"$sshd" -t -f "$at/sshd_config" >&2 || {
  write_config ''
  "$sshd" -t -f "$at/sshd_config" >&2 || fail "sshd does not take its settings: $("$sshd" -t -f "$at/sshd_config" 2>&1 | tail -n 1)"
}
# What a login shell's profile makes of PATH is the distribution's, without what the image added.
if [ -d /etc/profile.d ] && [ -n "$POD_PATH" ]; then
  printf "PATH='%s'\\nexport PATH\\n" "$POD_PATH" > /etc/profile.d/berth-pod.sh
  chmod 644 /etc/profile.d/berth-pod.sh
fi

runs() {
  pid=$(cat "$at/sshd.pid" 2>/dev/null) && [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null &&
    grep -q sshd "/proc/$pid/cmdline" 2>/dev/null
}
if [ -n "$POD_SSH_PORT" ]; then
  if runs; then kill -HUP "$pid"
  else
    rm -f "$at/sshd.pid" "$at/sshd.log"
    "$sshd" -f "$at/sshd_config" -E "$at/sshd.log" </dev/null >&2 || fail "sshd does not start: $(tail -n 1 "$at/sshd.log")"
  fi
fi
# It writes that when it listens.
tries=0
while [ -n "$POD_SSH_PORT" ] && ! runs && [ $tries -lt 50 ]; do tries=$((tries + 1)); sleep 0.1; done
if [ -n "$POD_SSH_PORT" ] && ! runs; then fail "sshd does not listen at port $POD_SSH_PORT: $(tail -n 1 "$at/sshd.log" 2>/dev/null)"; fi

printf 'user=%s\\nuid=%s\\nhostkey=%s\\nsshd=%s\\n' "$POD_USER" "$uid" "$(cut -d' ' -f1,2 "$key.pub")" "$sshd"
printf 'mosh=%s\\nmoshwhy=%s\\n' "$(command -v mosh-server)" "$moshwhy"
`;

/**
 * Logs in as the user with a key of its own, which is gone afterwards: over SSH to prove sudo, and by a real mosh session. Needs a terminal for mosh.
 *
 * In its environment: `POD_USER`, `POD_SSH_PORT`, `POD_MOSH_PORTS` (`60000:60004`; empty: mosh is not tried). It prints `ssh=ok` or `ssh=why not`,
 * and `mosh=` likewise.
 */
export const TRY_LOGIN_SCRIPT = `${COMMON}
dir=$(mktemp -d) || fail "there is no room in /tmp"
list=$at/authorized_keys/$POD_USER
remove() {
  grep -v ' berth-try-login$' "$list" > "$dir/rest"
  cat "$dir/rest" > "$list"
  rm -rf "$dir"
}
trap remove EXIT
trap 'exit 1' HUP INT TERM
ssh-keygen -q -t ed25519 -N '' -C berth-try-login -f "$dir/key" </dev/null || fail "no key could be made"
cat "$dir/key.pub" >> "$list"
printf 'pod %s\\n' "$(cut -d' ' -f1,2 "$at/ssh_host_ed25519_key.pub")" > "$dir/known"
chmod 711 "$dir"

options="-F /dev/null -i $dir/key -o IdentitiesOnly=yes -o BatchMode=yes -o ConnectTimeout=10 -o HostKeyAlias=pod -o UserKnownHostsFile=$dir/known -o StrictHostKeyChecking=yes -o LogLevel=ERROR"
login() {
  if [ -n "$POD_SSH_PORT" ]; then ssh $options -p "$POD_SSH_PORT" "$POD_USER@127.0.0.1" "$@"
  else ssh $options -o ProxyCommand="$(command -v sshd) -i -f $at/sshd_config" "$POD_USER@pod" "$@"
  fi
}
who=$(login 'id -un; sudo -n id -u' </dev/null 2>"$dir/said" | tr '\\r\\n' '  ')
if [ "$who" = "$POD_USER 0 " ]; then echo ssh=ok
else
  echo "ssh=$who$(tail -n 2 "$dir/said" | tr '\\r\\n' '  ')"
  exit 0
fi

[ -n "$POD_MOSH_PORTS" ] || exit 0
has mosh && has mosh-client || { echo "mosh=the image has no mosh client to try it with"; exit 0; }
if [ -n "$POD_SSH_PORT" ]; then way="ssh $options -p $POD_SSH_PORT"
else way="ssh $options -o ProxyCommand='$(command -v sshd) -i -f $at/sshd_config'"
fi
: > "$dir/who"
chown "$POD_USER" "$dir/who"
LC_ALL=$POD_LOCALE TERM=xterm mosh --experimental-remote-ip=local -p "$POD_MOSH_PORTS" --ssh="$way" "$POD_USER@127.0.0.1" -- sh -c "id -un > $dir/who" > "$dir/said" 2>&1
if [ "$(cat "$dir/who")" = "$POD_USER" ]; then echo mosh=ok
else
  escape=$(printf '\\033')
  echo "mosh=$(sed "s/$escape[[(][0-9;?]*[a-zA-Z]//g" "$dir/said" | tr -cd '[:print:]\\n' | tail -n 3 | tr '\\n' ' ')"
fi
`;
