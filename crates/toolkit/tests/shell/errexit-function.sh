set -e
f() { false; echo in-f; }
if f; then echo ok; fi
f && echo and
x=$(echo sub; false; echo more)
echo never "$x"
