sh -c 'exit 5' & a=$!
sh -c 'exit 6' & b=$!
wait $a; echo $?
wait $b; echo $?
kill -0 $$ && echo alive
