# A failure that may be one within a compound command does not end the shell behind it.
set -e
{ false && true; }
if true; then false && true; fi
for i in 1; do false && true; done
case x in x) false && true;; esac
while :; do false && break; break; done
echo "status $?"
f() { if true; then false && true; fi; }
(f; echo not reached) || echo "in a list: $?"
set +e
(set -e; f; echo not reached)
echo "a function's failure: $?"
(set -e; { false; }; echo not reached)
echo "group: $?"
(set -e; (false); echo not reached)
echo "subshell: $?"
(trap 'exit 7' EXIT; exit 1)
echo "trap: $?"
