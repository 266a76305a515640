set -e
cleanup() { echo cleanup $?; }
trap cleanup EXIT
echo a
false
echo never
