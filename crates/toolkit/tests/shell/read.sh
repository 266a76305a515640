printf 'a b  c\nd\\ e\nlast' | { read -r x y; echo "[$x][$y]"; read z; echo "[$z]"; read -r w; echo "$? [$w]"; }
printf 'k=v=w\n' | { IFS='=' read -r k v; echo "$k:$v"; }
printf '  pad  \n' | { IFS= read -r l; echo "[$l]"; }
printf 'abc' | { read -n 2 c; echo "$c"; }
printf 'a:b:c' | { IFS=: read -ra parts; echo "${#parts[@]} ${parts[2]}"; }
read -r x < /dev/null; echo $?
