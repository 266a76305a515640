diff <(echo a) <(echo a) && echo same
while read -r x; do echo "got $x"; done < <(seq 3)
cat <(echo one) <(echo two)
echo data | tee >(cat >/dev/null) | cat
