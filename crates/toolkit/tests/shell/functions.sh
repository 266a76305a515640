f() { local a=$1; a+=x; echo "$a" "$#" "$@"; return 5; }
a=outer
f 1 2 "3 4"; echo $? $a
function g { echo "${FUNCNAME[0]}"; }
g
f() { echo redefined; }
f
unset -f f
type -t f || echo gone
