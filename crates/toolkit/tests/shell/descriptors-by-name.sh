# What a command's descriptors are is what their names stand for.
f() { echo to stderr > /dev/stderr; echo to stdout > /dev/stdout; }
f 2> /dev/null
f 2>&1 | sed 's/^/piped /'
f 2>&1 > /dev/null | sed 's/^/only /'
text=$(f 2> errors)
echo "[$text]"
cat errors
{ echo grouped > /dev/stderr; } 2> errors
cat errors
ls nosuch 2> /dev/stdout | wc -l
text=$(echo by number > /proc/self/fd/1)
echo "[$text]"
echo by number > /dev/fd/1 | sed 's/^/piped /'
read -r line < /dev/stdin <<< 'a line'
read -r line <<< 'the other' < /dev/stdin
echo "$line"
. /dev/stdin <<'EOF'
echo sourced
EOF
exec 3> log
echo three > /dev/fd/3
exec 3>&-
cat log
(echo closed > /dev/fd/3) 2> /dev/null || echo 'no such descriptor'
