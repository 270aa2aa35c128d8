/** A script with what those of a set-up rely on: system programs on the PATH, messages in English, no question for a password. */
export function inSetupShell(script: string): string {
  return `${PREAMBLE}\n${script}`;
}

/**
 * Where systemd keeps a user's session, sockets lie in its folder; else in the home folder, where Berth and `docker` contexts look, too, and which
 * is there after a boot.
 */
const PREAMBLE = `LC_ALL=C; export LC_ALL
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH
unset DOCKER_HOST DOCKER_CONTEXT DOCKER_TLS_VERIFY
if [ -d "/run/user/$(id -u)" ]; then XDG_RUNTIME_DIR=/run/user/$(id -u); export XDG_RUNTIME_DIR; fi
sudo() { command sudo -n "$@"; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; elif [ -w /var/run/docker.sock ]; then "$@"; else command sudo -n "$@"; fi; }
rootless_socket() {
  if [ -d /run/systemd/system ]; then echo "/run/user/$(id -u)/docker.sock"; else echo "$HOME/.docker/run/docker.sock"; fi
}
rootless_script() {
  command -v dockerd-rootless.sh && return
  for script in /usr/share/docker.io/contrib/dockerd-rootless.sh /usr/libexec/docker/dockerd-rootless.sh; do
    [ -x "$script" ] && echo "$script" && return
  done
  return 1
}`;
