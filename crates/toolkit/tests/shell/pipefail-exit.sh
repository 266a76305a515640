set -euo pipefail
echo start
grep -q x < /dev/null | cat
echo never
