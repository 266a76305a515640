for a in 1 2; do for b in 1 2; do echo $a$b; continue 2; done; echo no; done
for a in 1 2; do for b in 1 2; do echo $a$b; break 99; done; echo no; done
echo after
f() { break; echo in f; }
for a in 1 2; do f 2> /dev/null; echo "went on $a"; done
n=0; while [ $n -lt 3 ] && n=$((n+1)) && [ $n = 2 ] || [ $n = 1 ]; do echo $n; done
