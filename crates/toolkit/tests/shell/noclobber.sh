cd "$(mktemp -d)"
set -C
echo a > f
echo b > f && echo no
echo c >| f
cat f
