cd "$(mktemp -d)"
echo a > f; echo b >> f; cat f
{ echo out; echo err >&2; } > o 2> e
cat o e
{ echo out; echo err >&2; } &> both; sort both
echo x 2>&1 >/dev/null | cat
cat < f > g; cat g
ls nope 2>/dev/null || echo missing
exec 3> h; echo three >&3; exec 3>&-; cat h
exec 4< f; read -r l <&4; echo "$l"; read -r l <&4; echo "$l"; exec 4<&-
