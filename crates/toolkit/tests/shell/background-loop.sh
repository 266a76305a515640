ticker() { while :; do sleep 0.05; done; }
ticker & t=$!
kill -0 "$t" && echo running
kill "$t"; wait "$t"; echo $?
(sleep 0.05; exit 4) & a=$!; sleep 0.01 & b=$!
wait $a; echo $?; wait $b; echo $?
for i in 1 2 3; do (exit $i) & pids="$pids $!"; done
for p in $pids; do wait $p; echo $?; done
wait 99999999 2>/dev/null; echo $?
sleep 30 < /dev/null & kill -KILL $!; wait $! 2>/dev/null; echo $?
