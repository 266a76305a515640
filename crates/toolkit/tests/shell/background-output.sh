cd "$(mktemp -d)"
{ echo one; echo two >&2; } > f 2>&1 & wait $!; cat f
A=5 sh -c 'echo $A' & wait
echo data | cat & wait
cat f | while read -r x; do echo "$x" & wait; done
