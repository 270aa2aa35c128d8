import { SESSION_PROGRAM } from "./session-program.ts";

/** Raised when a shell of one version could not be understood by a client of another. */
export const PROTOCOL_VERSION = 1;

/** Programs whose presence a shell reports when it is ready. */
export const REPORTED_PROGRAMS = [
  "bash",
  "sh",
  "node",
  "python3",
  "python",
  "pwsh",
  "git",
  "tar",
  "sudo",
  "env",
  "setsid",
  "sha256sum",
] as const;

/** Most bytes that one `load` or `put` line may announce; what a torn one still waits for when a new client comes. */
export const CHUNK_BYTES = 65_536;

/**
 * Arguments for `/bin/sh`: the program that turns it into a job's shell. `nonce` marks its frames: letters and digits,
 * another one for every job. It is no secret. After `limitSeconds` the shell ends itself and with it its container.
 */
export function shellArgv(
  nonce: string,
  { limitSeconds }: { readonly limitSeconds?: number | undefined } = {},
): string[] {
  const limit = limitSeconds === undefined ? [] : [String(Math.ceil(limitSeconds))];
  return ["-c", PREAMBLE, "berth", nonce, ...limit];
}

/** So many files to collect can be made by one redirection each of one command: shells have the descriptors up to 9 for that. */
const FILES_AT_ONCE = 5;

/** Ends a typed line; never occurs within one, so a line that was cut off cannot pass for a whole one. */
export const LINE_END = "\x1f";

/*
 * What the shell text relies on, since it may hold no comments of its own length (it is an argument of every container):
 *
 * - A failed redirection of a special builtin (`:`, `exec`, `.`) ends dash and ash; of `printf` it does not.
 * - `cd -P /proc/self` tells a subshell its own pid without a fork; `$$` is that of the main shell.
 * - Opening /proc/self/fd/1 anew gives the frames a file description of their own: a step (Node does it) that leaves
 *   O_NONBLOCK on the shared one would make our writes fail half-way.
 * - `head -c` of busybox reads ahead and eats what follows; `dd iflag=fullblock` takes exactly what it should.
 * - `dd` reads a file that grows once, and says afterwards how much that was (some builds of busybox do not, then `wc`
 *   does); `wc` before it would be another process each time.
 * - bash and dash print "Killed" and the like about a child on their own stderr, so the stepper's is /dev/null.
 * - Variables are set in the step's subshell only: a value of 128 kB in the stepper's environment would keep it from
 *   starting anything else.
 * - A shell that has run the last line of a file looks once more for its end. The text of commands goes to two files in turn, or that look
 *   could find, and run, what has just been loaded for the next command.
 * - A step may remove or close what lies in /dev/shm or /tmp, our folder too: `b_mend` makes it again, and the client tells the pid for a
 *   signal once more, in case the file that had it is gone or could not be written.
 * - What ends the shell when its time is up kills one process: the container's own init goes with it, and all others with that. As process 1 of
 *   its own the shell cannot be killed, but then "all processes" means those of this container alone; elsewhere it could be the host's.
 * - LC_ALL=C makes lengths bytes in bash; a step gets the container's own value back.
 */
const PREAMBLE = `b_nonce=$1
b_end='${LINE_END}'
b_l='
'
b_locale=
if [ "\${LC_ALL+x}" ]; then b_lc=$LC_ALL; b_locale='LC_ALL=$b_lc'; fi
LC_ALL=C
b_libc=unknown
for b_f in /lib*/ld-linux* /lib/*-linux-gnu/libc.so.6; do [ -e "$b_f" ] && b_libc=glibc; done
for b_f in /lib/ld-musl-*; do
  if [ -e "$b_f" ]; then
    if [ $b_libc = unknown ]; then b_libc=musl
    else case $(cat /proc/$$/maps 2>/dev/null) in *ld-musl*) b_libc=musl ;; esac; fi
  fi
done
set -f
exec 3>&1 4>&2
( printf '' >>/proc/self/fd/3 ) 2>/dev/null && exec 3>>/proc/self/fd/3
( printf '' >>/proc/self/fd/4 ) 2>/dev/null && exec 4>>/proc/self/fd/4
b_say() { printf '\\036%s %s\\n' "$b_nonce" "$1" >&3; }
b_note() { printf '\\036%s %s\\n' "$b_nonce" "$1" >&4; }
b_find() {
  b_found=
  b_ifs=$IFS; IFS=:
  for b_p in \${PATH-/usr/bin:/bin}; do
    if [ -f "\${b_p:-.}/$1" ] && [ -x "\${b_p:-.}/$1" ]; then b_found=\${b_p:-.}/$1; break; fi
  done
  IFS=$b_ifs
  [ "$b_found" ]
}
for b_dir in /dev/shm "\${TMPDIR:-/tmp}" /tmp /var/tmp /run "\${HOME:-/}" "$PWD"; do
  b_dir=$b_dir/.berth-$b_nonce
  [ -e "$b_dir" ] && rm -rf "$b_dir"
  mkdir -m 700 "$b_dir" && break
  b_dir=
done 2>/dev/null
if [ -z "$b_dir" ]; then b_say 'gone 1 no-folder'; exit 1; fi
printf '0 -\\n' >"$b_dir/state"
b_uid=0 b_gid=0
while read -r b_k b_v b_f; do
  case $b_k in Uid:) b_uid=$b_v ;; Gid:) b_gid=$b_v; break ;; esac
done </proc/self/status
b_facts="version ${PROTOCOL_VERSION}
uid $b_uid
gid $b_gid
arch $(uname -m)
libc $b_libc
"
for b_name in ${REPORTED_PROGRAMS.join(" ")}; do
  b_find $b_name && b_facts="\${b_facts}program $b_name $b_found
"
done
b_facts="\${b_facts}env
"
b_find env; b_env=$b_found
b_find setsid; b_setsid=$b_found
if [ -x ${SESSION_PROGRAM} ] && ( exec ${SESSION_PROGRAM} /bin/sh -c : ) 2>/dev/null; then b_setsid=${SESSION_PROGRAM}; fi
b_take() { dd bs="$1" count=1 iflag=fullblock 2>/dev/null; }
[ "$(printf 'xy' | LC_ALL=C dd bs=2 count=1 iflag=fullblock 2>"$b_dir/dd")" = xy ] || b_take() { head -c "$1"; }
b_copied() {
  b_size=
  { read -r b_size && read -r b_size && read -r b_size b_rest; } <"$b_dir/dd"
  case $b_size in ''|*[!0-9]*) return 1 ;; esac
}
b_counts=
b_copied && b_counts=1
b_introduce() {
  b_size=$(wc -c <"/proc/$$/environ") || b_size=0
  b_size=$((b_size))
  [ $b_size -le 1048576 ] || b_size=1048576
  b_all=$((b_size + \${#b_facts}))
  b_note 'block 0 0'
  printf '%s' "$b_facts" >&4
  [ $b_size = 0 ] || head -c "$b_size" "/proc/$$/environ" >&4
  b_note "block-end 0 0 $b_all $b_all"
  b_note 'done 0 1'
} 2>/dev/null

b_mend() {
  [ -w "$b_dir/." ] && return
  [ -d "$b_dir" ] || mkdir -m 700 "$b_dir"
  chmod 700 "$b_dir"
} 2>/dev/null
b_ours() {
  case $1 in ''|*[!0-9]*) return 1 ;; esac
  [ "$1" = $b_epoch ] && return
  b_say "stale $1 $b_epoch"
  return 1
}
b_kill() {
  b_pids=" $1 " b_more=1
  set +f
  while [ $b_more ]; do
    b_more=
    for b_f in /proc/[0-9]*/stat; do
      IFS= read -r b_stat <"$b_f" || continue
      b_one=\${b_stat%% *}
      set -- "$1" \${b_stat##*) }
      [ $# -ge 5 ] || continue
      case $b_pids in *" $b_one "*) continue ;; esac
      case $b_pids in
      *" $3 "*) ;;
      *) [ "$5" = "$1" ] || continue ;;
      esac
      b_pids="$b_pids$b_one " b_more=1
    done
  done
  set -f
  kill -KILL -$1
  kill -KILL $b_pids
}
b_signal() {
  b_n=$b_last b_pid=
  read -r b_n b_pid <"$b_dir/state"
  [ "$b_n" = "$1" ] || return
  [ "$b_pid" ] || b_pid=$3
  case $b_pid in ''|1|*[!0-9]*) return ;; esac
  case $2 in
  INT|TERM) kill -$2 $b_pid ;;
  KILL) b_kill $b_pid ;;
  esac
}
b_control() {
  b_epoch=1 b_owner=- b_life=0 b_last=0 b_hash=- b_torn=0
  while IFS= read -r b_line; do
    b_verb=\${b_line%% *}
    b_rest=\${b_line#* }
    case $b_line in *"$b_end") b_rest=\${b_rest%"$b_end"} ;; *) continue ;; esac
    case $b_verb in
    go)
      b_e=\${b_rest%% *}; b_rest=\${b_rest#* }
      b_n=\${b_rest%% *}; b_rest=\${b_rest#* }
      b_h=\${b_rest%% *}; b_rest=\${b_rest#* }
      b_ours "$b_e" && [ "$b_n" = $((b_last + 1)) ] || continue
      b_last=$b_n b_hash=$b_h
      printf '%s\\n' "$b_rest"
      continue ;;
    esac
    set -- $b_rest
    case $b_verb in
    load)
      case $3$4 in ''|*[!0-9]*) continue ;; esac
      [ "$4" -le ${CHUNK_BYTES} ] || continue
      b_mend
      if ! b_ours "$1"; then
        b_take "$4" >/dev/null
      elif printf '' >>"$b_dir/$3"; then
        case $5 in
        first) b_take "$4" >"$b_dir/$3" ;;
        *) b_take "$4" >>"$b_dir/$3" ;;
        esac || b_torn=$2
      else
        b_take "$4" >/dev/null
        b_torn=$2
      fi ;;
    run)
      b_ours "$1" && [ "$2" = $((b_last + 1)) ] || continue
      b_last=$2 b_hash=$3
      if [ "$b_torn" = "$2" ]; then printf 'b_refuse %s\\n' "$2"
      else printf '. "$b_dir/%s"\\n' $((b_last % 2)); fi ;;
    signal) b_ours "$1" && b_signal "$2" "$3" "$4" ;;
    resend) b_ours "$1" && [ "$2" = $b_last ] && printf 'b_resend %s\\n' "$2" ;;
    poke)
      if [ "$1" = $b_epoch ]; then b_say "poked $2 ours $b_last"; else b_say "poked $2 stale $b_last"; fi ;;
    sync)
      case $2 in ''|*[!0-9]*) b_new=0 ;; *) b_new=$2 ;; esac
      if [ $b_new -lt $b_life ]; then b_say "late $1"; continue; fi
      b_life=$b_new
      [ "$1" = "$b_owner" ] || b_epoch=$((b_epoch + 1))
      b_owner=$1
      b_n=0 b_state=-
      read -r b_n b_state <"$b_dir/state"
      b_introduce
      b_note "sync $1"
      b_say "sync $1 $b_epoch $b_last $b_hash \${b_n:-0} \${b_state:--}" ;;
    esac
  done
}

b_a() {
  b_m=$# b_i=0 b_none= b_open= b_some= b_all=
  for b_p; do
    b_i=$((b_i + 1))
    eval "b_l$b_i=\\$b_p"
    b_none="$b_none -o -e \\"\\$b_f$b_i\\"" b_some="$b_some -o -s \\"\\$b_f$b_i\\""
    b_open="$b_open $((b_i + 4))>\\"\\$b_f$b_i\\"" b_all="$b_all \\"\\$b_f$b_i\\""
  done
  b_none="! [ \${b_none# -o} ]" b_some="[ \${b_some# -o} ]" b_open="printf ''$b_open"
  [ $b_m != 0 ] || b_some=false
  [ $b_m -gt 0 ] && [ $b_m -le ${FILES_AT_ONCE} ] || b_none=false
}
b_q() {
  if eval "$b_some"; then
    for b_p; do [ -f "$b_p" ] && [ -s "$b_p" ] && printf '' >"$b_p"; done
  fi
  case $* in
  *\\'*) rm -rf "$@" ;;
  *) for b_p; do b_old="$b_old '$b_p'"; done ;;
  esac
}
b_n() { eval "b_q $b_all"; eval "$b_cc"; }
b_t() { [ -z "$b_old" ] || eval "rm -rf $b_old"; b_old=; }
b_folder() { [ -d "\${1%/*}/" ] || mkdir -p "\${1%/*}/"; }
b_w() { b_folder "$1" && printf %s "$2" >"$1" && { [ -z "$3" ] || chmod "$3" "$1"; } || b_error=1; } 2>&1
b_s() { b_folder "$1" && cat "$b_dir/$2" >"$1" && { [ -z "$3" ] || chmod "$3" "$1"; } || b_error=1; rm -f "$b_dir/$2"; } 2>&1
b_g() { b_got=$(cat "$b_dir/$1"; printf x); b_got=\${b_got%x}; rm -f "$b_dir/$1"; }
b_refuse() {
  b_error=1
  printf 'What Berth needs for this command could not be written to %s.\\n' "\${b_dir%/*}"
  b_r "$1"
}
b_empty() {
  b_i=0
  while [ $b_i -lt $b_m ]; do
    b_i=$((b_i + 1))
    eval "b_p=\\$b_f$b_i"
    b_folder "$b_p" && { [ ! -e "$b_p" ] || [ -f "$b_p" ] || rm -rf "$b_p"; } && printf '' >"$b_p" || b_error=1
  done
} 2>&1
b_resend() {
  b_i=0 b_count=0
  while [ $b_i -lt $b_m ]; do
    b_i=$((b_i + 1))
    eval "b_p=\\$b_f$b_i b_limit=\\$b_l$b_i"
    [ -f "$b_p" ] && [ -s "$b_p" ] || continue
    b_count=$((b_count + 1))
    b_note "block $1 $b_i"
    if [ $b_counts ]; then
      LC_ALL=C dd bs=$((b_limit + 1)) count=1 if="$b_p" 2>"$b_dir/dd" >&4
      b_copied || b_size=0
      b_sent=$b_size
      if [ $b_size -gt $b_limit ]; then b_size=$(wc -c <"$b_p"); b_size=$((b_size)); fi
    else
      b_size=$(wc -c <"$b_p")
      b_size=$((b_size)) b_sent=$((b_size))
      [ $b_sent -le $b_limit ] || b_sent=$((b_limit + 1))
      head -c $b_sent "$b_p" >&4
    fi
    b_note "block-end $1 $b_i $b_size $b_sent"
  done
  b_note "done $1 $b_count"
}
b_program() {
  case $1 in
  */*) b_found=$1 ;;
  *) b_find "$1" || { printf '127 no-program' >"$b_dir/why"; exit 127; } ;;
  esac
  [ -f "$b_found" ] || { printf '127 no-program' >"$b_dir/why"; exit 127; }
  [ -x "$b_found" ] || { printf '126 no-program' >"$b_dir/why"; exit 126; }
}
b_r() {
  b_n=$1
  shift
  b_mend
  [ "$b_error" ] || { eval "$b_none" && eval "$b_open"; } || b_empty
  b_why=ok b_code=0
  if [ "$b_error" ]; then
    b_why=no-write b_code=1
  else
    (
      cd -P /proc/self && b_pid=\${PWD#/proc/} || b_pid=$(exec sh -c 'echo $PPID')
      printf '%s %s\\n' $b_n $b_pid >"$b_dir/state"
      b_say "begin $b_n $b_pid"
      exec 3>&- 4>&-
      cd "$1" 2>/dev/null || { printf '127 no-directory' >"$b_dir/why"; exit 127; }
      shift
      unset OLDPWD
      eval "$b_locale"
      eval "$b_x" 2>/dev/null
      b_program "$1"
      shift
      set -- "$b_found" "$@"
      [ -z "$b_setsid" ] || set -- "$b_setsid" "$@"
      [ -z "$b_o" ] || eval "set -- \\"\\$b_env\\" $b_o \\"\\$@\\""
      exec "$@"
    ) </dev/null 2>&1
    b_code=$?
    b_mend
    case $b_code in
    126|127) if [ -f "$b_dir/why" ]; then read -r b_code b_why <"$b_dir/why"; rm -f "$b_dir/why"; fi ;;
    esac
    printf '%s - %s %s\\n' $b_n $b_code $b_why >"$b_dir/state"
  fi
  b_error= b_count=0
  if eval "$b_some"; then
    b_i=0
    while [ $b_i -lt $b_m ]; do
      b_i=$((b_i + 1))
      eval "b_p=\\$b_f$b_i"
      [ -f "$b_p" ] && [ -s "$b_p" ] && b_count=$((b_count + 1))
    done
    [ $b_count = 0 ] || b_resend $b_n
  fi
  b_say "end $b_n $b_code $b_why $b_count"
}
b_watch() {
  trap '' INT TERM HUP
  sleep "$1" || return
  if [ $$ = 1 ]; then kill -KILL -1; else kill -KILL $$; fi
}
b_stepper() {
  trap : INT TERM HUP
  b_old= b_x= b_o= b_k= b_cc= b_error=
  b_a
  while IFS= read -r b_line; do eval "$b_line"; done
}

if [ "$2" ]; then b_watch "$2" </dev/null >/dev/null 2>&1 3>&- 4>&- & fi
b_introduce
b_say ready
{
  trap : INT TERM HUP
  exec 2>/dev/null
  cd -P /proc/self && printf '%s\\n' "\${PWD#/proc/}" >"$b_dir/control"
  b_control
} | {
  exec 2>/dev/null
  ( b_stepper )
  b_code=$?
  if [ $b_code != 0 ]; then
    b_say "gone $b_code stepper"
    read -r b_pid <"$b_dir/control" && kill -KILL $b_pid
  fi
}
rm -rf "$b_dir"
`;
