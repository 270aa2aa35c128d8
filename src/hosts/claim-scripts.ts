import { quote } from "../../runner/quote.ts";

/** What a claim's script ends with when somebody else has a GPU. */
export const RIVALS = 4;

/**
 * Takes all units or none. Read from standard input: how a claim of the same job begins, the claim, then one file name a line. Whom a unit belongs to
 * is printed as `NAME<tab>CLAIM`.
 *
 * `ln -s` fails where the name is taken and carries the claim's text in the same operation, so that even where there is no `flock` no unit is
 * taken twice: whoever takes a whole GPU and whoever takes a slice of it each make theirs first and look for the other's then.
 */
export function claimScript(folder: string): string {
  return `${openFolder(folder)}
IFS= read -r same
IFS= read -r claim
[ -n "$claim" ] || { echo "The claim did not arrive." >&2; exit 3; }
made=
code=0
take() {
  # It would take the link into itself, and every rival's.
  if [ -d "$name" ] && [ ! -L "$name" ]; then echo "$name is a folder." >&2; code=3; return; fi
  # A rival may go between the two looks.
  for again in 1 2 3; do
    if error=$(ln -sn "$claim" "$name" 2>&1); then made="$made $name"; return; fi
    held=$(readlink "$name") || continue
    case $held in "$same"*) return ;; esac
    printf '%s\\t%s\\n' "$name" "$held"
    code=${RIVALS}
    return
  done
  printf '%s\\n' "$error" >&2
  code=3
}
while IFS= read -r name; do
  take
  [ $code != 3 ] || break
  case $name in *+*) set -- "\${name%%+*}" ;; *) set -- "$name"+* ;; esac
  for other; do
    held=$(readlink "$other") || continue
    printf '%s\\t%s\\n' "$other" "$held"
    code=${RIVALS}
  done
done
[ $code = 0 ] || [ -z "$made" ] || rm -f $made
exit $code`;
}

/** Lets units go. Read from standard input, in turn: a file name, and how its claim must begin. What was let go is printed. */
export function releaseScript(folder: string): string {
  return `[ -d ${quote(folder)} ] || exit 0
${openFolder(folder)}
while IFS= read -r name && IFS= read -r claim; do
  held=$(readlink "$name") || continue
  case $held in "$claim"*) rm -f "$name" && printf '%s\\n' "$name" ;; esac
done
exit 0`;
}

/** Prints all claims as `NAME<tab>CLAIM`. */
export function listScript(folder: string): string {
  return `[ -d ${quote(folder)} ] || exit 0
cd ${quote(folder)} || exit 3
${LIST}`;
}

/**
 * Prints all claims, what computes on GPUs, and the claims again, with a line `--` between: whatever began or ended meanwhile has its claim in one of the
 * two lists.
 */
export function lookScript(folder: string): string {
  const list = `(cd ${quote(folder)} 2>/dev/null || exit 0; ${LIST})`;
  return `${list}
echo --
${COMPUTE_APPS}
code=$?
echo
echo --
${list}
exit $code`;
}

/** Prints `GPU-…, PID, PROGRAM` for all that computes on GPUs. Without `nvidia-smi` nothing is known of that. */
const COMPUTE_APPS = `limited() { if command -v timeout >/dev/null 2>&1; then timeout 10 "$@"; else "$@"; fi; }
! command -v nvidia-smi >/dev/null 2>&1 ||
  limited nvidia-smi --query-compute-apps=gpu_uuid,pid,process_name --format=csv,noheader`;

/** Anybody may put there what is nobody's GPU, and has line breaks in its name. */
const LIST = `for name in *; do
  case $name in *[!A-Za-z0-9_.:%+-]*) continue ;; esac
  held=$(readlink "$name") && printf '%s\\t%s\\n' "$name" "$held"
done
:`;

/**
 * Anybody may make and remove claims, whoever runs the engine: they keep programs apart that want to be kept apart. A link in the folder's place
 * would lead elsewhere. The lock goes with its process, however that ends.
 */
function openFolder(folder: string): string {
  const path = quote(folder);
  return `umask 0
mkdir -p ${path}
if [ -L ${path} ] || ! cd ${path}; then
  echo "GPUs cannot be claimed in "${path}": it is no folder." >&2
  exit 3
fi
if command -v flock >/dev/null 2>&1; then exec 9<.; flock 9; fi`;
}
