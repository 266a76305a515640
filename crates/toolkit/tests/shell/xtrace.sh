exec 2>&1
set -x
x=1
echo "a b" $x
[ "$x" = 1 ] && echo yes
set +x
echo off
