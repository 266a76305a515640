# A subshell is a process of its own.
[ "$(echo $$)" = $$ ] && echo same shell
(echo $BASHPID) | { read pid; [ "$pid" != $$ ] && echo another process; }
{ trap 'echo told; exit 7' TERM; echo ready; while :; do sleep 0.05; done; } > state &
until grep -q ready state 2>/dev/null; do sleep 0.02; done
kill $!
wait $!
echo "status $?"
cat state
( trap 'echo last words' EXIT; kill -TERM $BASHPID; echo never )
echo "status $?"
x=1; ( x=2; cd /; umask 777 ); echo "$x $(umask)" "$(pwd | sed 's/.*\(.\)$/./')"
rm -f state
