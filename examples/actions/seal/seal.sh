set -eu
sha256sum "$1" >"$1.sha256"
echo "sealed in the container $(hostname): $(cat "$1.sha256")"
echo "checksum=$(cut -d ' ' -f 1 "$1.sha256")" >>"$GITHUB_OUTPUT"
