# What `trap -p` prints brings everything back, also what has no trap.
trap -p USR1 QUIT
trap 'echo "it'\''s"' USR1; trap '' QUIT
trap -p USR1 QUIT HUP
trap
trap - USR1
trap -p > traps
trap 'echo trapped' TERM QUIT
. ./traps
trap
trap -p | head -n 3
