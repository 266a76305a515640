declare -A m=([a]=1 [b]=2)
m[c]="x y"
for k in a b c; do echo "$k=${m[$k]}"; done
echo ${#m[@]}
unset 'm[a]'
