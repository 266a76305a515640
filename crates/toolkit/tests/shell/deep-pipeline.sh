src() { for i in 1 2 3; do echo "$i"; done; }
add() { while read -r x; do echo "$x$1"; done; }
src | add a | add b | add c | add d | add e | add f | add g | add h | add i | add j | add k | add l
while read -r x; do echo "$x"; done < <(src | add p | add q | add r)
a=$(src | while read -r x; do echo "$(echo "$x" | add z)"; done); echo "$a"
