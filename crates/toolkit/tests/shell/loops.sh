for i in 1 2 3 4 5; do [ $i = 2 ] && continue; [ $i = 4 ] && break; echo $i; done
i=0; until [ $i -ge 2 ]; do i=$((i+1)); echo u$i; done
for i in a b; do for j in 1 2; do [ $j = 2 ] && continue 2; echo $i$j; done; done
while :; do while :; do break 2; done; done; echo out
for x; do echo no; done
set -- p q; for x; do echo $x; done
for f in /etc/host*name; do echo "$f"; done
