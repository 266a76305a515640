{ echo a; echo b; } | sort -r
if [ 1 = 2 ]; then echo 1; elif [ 1 = 1 ]; then echo 2; else echo 3; fi
true && echo and || echo or; false && echo and || echo or
a() { b; }; b() { return 2; }; a; echo $?
if ! false; then echo neg; fi
while read -r x; do echo "$x"; done <<EOF
l1
l2
EOF
[ 1 = 1 ] && { echo grouped; false; } || echo fallback
