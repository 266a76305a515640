declare -A m=([a]=1)
[[ -v m[a] ]] && echo has a
