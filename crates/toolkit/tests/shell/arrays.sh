a=(one "two words" three)
echo ${#a[@]} "${a[1]}" "${a[@]:1}" "${a[-1]}"
a+=(four); a[7]=eight
echo "${!a[@]}" "${#a[@]}"
for x in "${a[@]}"; do printf '<%s>' "$x"; done; echo
unset 'a[0]'
echo "${a[*]}"
IFS=,; echo "${a[*]}"
