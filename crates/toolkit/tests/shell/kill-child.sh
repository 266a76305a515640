sleep 60 & p=$!
kill $p
wait $p; echo $?
kill -9 $p 2>/dev/null || echo gone
