# What is exported, and what is no name.
export before
before=set
env | grep '^before='
text='given=by a word'
export "$text"
env | grep '^given='
export 1a=3 2>/dev/null; echo "status $?"
export x=1 'b-d=2' y=3 2>/dev/null; echo "status $? $x $y"
export -n x
env | grep -c '^x='
export quoted='a "b" $c'
export -p | grep quoted
set -a
read -r first second <<<"1 2"
env | grep '^second='
set +a
PATH=/nonexistent
PATH=/usr/bin:/bin
mkdir -p one; printf '#!/bin/sh\necho one\n' >one/thing; chmod +x one/thing
PATH=./one:$PATH
thing
rm one/thing
thing 2>/dev/null || echo "gone: $?"
command -v cd if; command -v nonexistent || echo "none: $?"
f() { :; }
command -v f
command -V if
