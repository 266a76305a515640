# Without parameters `$*` and `$@` are not set.
set --
echo "${*-none} ${@-none} ${*:-none} ${@+some}"
set -- ''
echo "${*-none}<${@+some}>${*:-empty}"
list=()
echo "${list[@]-none} ${list[*]+some}"
true & echo "${!}" "${!-none}" "${!:-none}" | grep -cE '^[0-9]+ [0-9]+ [0-9]+$'
wait
