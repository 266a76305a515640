# What `set -x` tells stays out of the files of the command.
exec 2> told
set -x
ls /nonexistent > log 2>&1
a=1 b=2 ls > log2 2>&1
f() { echo in f; }
f > log3 2>&1
{ echo group; } > log4 2>&1
x=$(echo "a line
another")
z='
'
(echo alone)
eval 'echo c; eval -- "echo d"'
echo 'echo sourced' > sourced; . ./sourced
g() { echo g; (echo h); y="$(echo i; (echo j))"; }
g > /dev/null
: "$(echo $(echo nested))" `echo old`
c=1 2> log5
echo "$x" 2> log6
set +x
for log in log log3 log4 log5 log6; do echo "== $log"; cat "$log"; done
echo "== log2"; grep -c . log2
echo "== told"; cat told
