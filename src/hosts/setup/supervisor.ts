import { quote } from "../../../runner/quote.ts";

/** A dockerd that is kept running where no init system does that. */
export type Supervised = {
  /** Has the script, its log, and programs that this engine finds before the system's. */
  readonly folder: string;
  /** What starts the engine and stays: `dockerd`, with its options. */
  readonly start: string;
  /** Where it listens: `/var/run/docker.sock`. */
  readonly socket: string;
  /** Removed before a start when their processes do not live any more: dockerd refuses to start where such a number lives, whatever it is. */
  readonly pidFiles: readonly string[];
  readonly environment: { readonly [name: string]: string };
  /** Tells whether the iptables named by `$1` works where the engine will call it. */
  readonly tryPacketFilter: string;
};

/**
 * A script that starts an engine, and starts it again whenever it ends: later each time, up to a minute. One runs at a time, whoever starts
 * another. TERM ends the engine with it. It outlives the login that started it.
 */
export function supervisorScript(supervised: Supervised): string {
  const { folder, start, socket, pidFiles, environment, tryPacketFilter } = supervised;
  const exports = Object.entries(environment).map(
    ([name, value]) => `export ${name}=${quote(value)}`,
  );
  return `#!/bin/sh
# Keeps a container engine running where no init system does. Written by "berth host setup".
# Started by running it; ended, with the engine, by: kill $(cat ${folder}/supervise.pid)
folder=${quote(folder)}
PATH=$folder/bin:$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH
${exports.join("\n")}
unset DOCKER_HOST DOCKER_CONTEXT
exec 9>>"$folder/lock"
flock -n 9 || exit 0
exec </dev/null >>"$folder/log" 2>&1
trap '' HUP
echo $$ > "$folder/supervise.pid"

answers() { timeout 10 docker -H unix://${socket} version >/dev/null 2>&1 9>&-; }
works() { command -v "$1" >/dev/null && ${tryPacketFilter}; }
forget() { grep -qs docker "/proc/$(cat "$1" 2>/dev/null)/cmdline" || grep -qs containerd "/proc/$(cat "$1" 2>/dev/null)/cmdline" || rm -f "$1"; }

# Debian's iptables is the nftables variant; a kernel without nftables needs the legacy one.
rm -f "$folder/bin/iptables"
if ! works iptables; then
  for other in iptables-legacy iptables-nft; do
    works $other && ln -s "$(command -v $other)" "$folder/bin/iptables" && break
  done
fi

child=
end() { trap '' TERM INT; [ -n "$child" ] && kill "$child" 2>/dev/null && wait "$child"; exit 0; }
trap end TERM INT
delay=1
while :; do
  # Of a supervisor that was killed the engine lives on.
  if answers; then sleep 5 9>&- & wait $!; continue; fi
  for file in ${pidFiles.map(quote).join(" ")}; do forget "$file"; done
  [ "$(wc -c < "$folder/log")" -lt 10000000 ] || : > "$folder/log"
  begin=$(date +%s)
  echo "$(date) starts the engine"
  ${start} 9>&- & child=$!
  wait $child
  echo "$(date) the engine ended with $?"
  child=
  [ $(($(date +%s) - begin)) -lt 60 ] || delay=1
  sleep $delay 9>&- & wait $!
  delay=$((delay < 30 ? delay * 2 : 60))
done
`;
}
