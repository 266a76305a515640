# What is assigned in front of a special builtin stays; in front of another command it does not.
a=1 :
b=2 true
c=3 eval 'echo "inside $c"'
echo "[$a] [$b] [$c]"
trap() { echo shadowed; }
trap 'echo "it'\''s over"' EXIT
trap -p EXIT
(shift 3; echo "status $?")
(command shift 3; echo "command: $?") 2>/dev/null
(set </nonexistent; echo not reached) 2>/dev/null
echo "ended with $?"
(command set </nonexistent; echo "spared: $?") 2>/dev/null
(readonly r=1; r=2; echo not reached) 2>/dev/null
echo "ended with $?"
(readonly r=1; r=2 cat /dev/null; echo not reached) 2>/dev/null
echo "ended with $?"
(. /nonexistent/file; echo not reached) 2>/dev/null
echo "ended with $?"
