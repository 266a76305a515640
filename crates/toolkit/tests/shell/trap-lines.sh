# What the traps say of a command is at its line.
trap 'echo "failed at $LINENO"' ERR
false
f() {
  false
  true
}
f
set -E
f
report() { echo "$1 ${BASH_LINENO[0]}"; }
g() {
  false
}
trap 'report "$LINENO"' ERR
g
trap - ERR
trap 'echo "before $LINENO"' DEBUG
echo one

echo two
trap - DEBUG
