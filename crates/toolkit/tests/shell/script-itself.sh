echo "${BASH_SOURCE[0]##*/}" "${0##*/}" $#
f() { echo "${FUNCNAME[0]} ${BASH_SOURCE[0]##*/}"; }
f | cat
set -- a b; echo $1 $# | { read -r x; echo "$x"; }
