f() { :; }; unset -f -f f; type f >/dev/null 2>&1 || echo gone
set -e -e; set +e +e; echo ok
export -p -p > /dev/null; echo $?
x=1; readonly -p -p >/dev/null; echo $?
read -r -r x <<< a; echo $x
cd -P -P /; pwd
