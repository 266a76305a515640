set -u
echo ${x-unset} ${x:-default}
y=
echo "[${y-unset}]" "[${y:-default}]"
echo $z
echo never
