ls /nonexistent-a 2>&1 | wc -l
x=$(ls /nonexistent-b 2>&1); [ -n "$x" ] && echo captured
exec 3>&1
ls /nonexistent-c 2>&1 >&3 | grep -c nonexistent-c
exec 2>&1
sh -c 'echo to-error >&2'
sh -c 'echo to-output' >&2
exec > /dev/null
sh -c 'echo still-here >&2'
echo gone
