sleep 5 & slow=$!
(exit 7) &
wait -n; echo $?
kill $slow; wait $slow 2>/dev/null; echo $?
