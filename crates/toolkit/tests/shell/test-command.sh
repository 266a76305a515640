[ -f /etc/passwd ] && echo file; [ -d / ] && echo dir; [ -e /nope ] || echo none
[ a = a ] && [ a != b ] && [ 1 -lt 2 ] && [ -n x ] && [ -z "" ] && echo all
[ ! a = b ] && echo not; [ a = a -a b = b ] && echo and; [ a = b -o b = b ] && echo or
test 5 -ge 5; echo $?; test; echo $?
[[ abc == a* && abc != b* ]] && echo glob
[[ abc =~ ^(a)(b) ]] && echo "${BASH_REMATCH[1]}${BASH_REMATCH[2]}"
[[ -z $nope ]] && echo empty; [[ 10 -gt 9 ]] && echo num; [[ b > a ]] && echo lex
[ a b ] 2>/dev/null; echo $?
