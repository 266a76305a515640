trap 'echo got TERM $?' TERM
false
kill -TERM $$
echo after $?
trap 'echo second; x=set' USR1
kill -s USR1 $$; echo "x=$x"
f() { kill -USR1 $$; echo in f; }
f
for i in 1 2; do kill -TERM $$; echo turn $i; done
trap - TERM
trap -p TERM
trap '' HUP
kill -HUP $$; echo ignored
(kill -HUP $$; echo ignored in subshell)
sh -c 'kill -HUP $$; echo ignored in child'
trap 'echo parent' INT
(trap -p INT; trap 'echo own' TERM; trap -p INT)
sleep 30 &
child=$!
trap 'hit=1' USR1
while kill -0 $child; do kill -USR1 $$; sleep 0.05; done 2>/dev/null &
wait $child
echo "wait $? $hit"
trap '' USR1
kill $child
wait
trap 'echo leaving; exit 7' TERM
trap 'echo exit $?' EXIT
kill -TERM $$
echo never
