for i in $(seq 1 3000); do echo "line $i of a fairly long text to fill up the pipe between the two"; done | while read -r a b c; do n=$b; [ "$n" = 3000 ] && echo "last $n"; done
x=$(seq 1 20000); echo ${#x}
f() { seq 1 20000; }
f | { read -r first; echo $first; cat > /dev/null; }
