seq 10 | while read -r x; do [ $((x % 2)) = 0 ] && echo "$x"; done | tail -n 2
echo abc | { read -r x; echo "in $x"; }
echo a b c | (read -r x rest; echo "$rest")
x=1; echo 2 | read -r x; echo $x
seq 100000 | wc -l
yes | head -n 2
