v=v1.22.333
if [[ $v =~ ^v([0-9]+)\.([0-9]+)\.([0-9]+)$ ]]; then echo "${BASH_REMATCH[@]:1}"; fi
re='[[:space:]]+'; [[ "a  b" =~ $re ]] && echo space
[[ foo =~ O ]] || echo case; shopt -s nocasematch; [[ foo =~ O ]] && echo nocase
