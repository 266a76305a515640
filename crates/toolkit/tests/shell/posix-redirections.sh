# A redirection's word is neither split nor a pattern; words are expanded before files are opened.
name='two words'
echo content >$name
cat "two words"
: >'f1'
echo star >f*
cat 'f*'
echo "$(test -e late || echo 'not yet')" >late
cat late
cat <&- 2>/dev/null || echo "closed: $?"
{ exec 5>five; } 2>/dev/null
echo to five >&5
cat five
echo error 2>&1 >/dev/null >&2 2>/dev/null
{ exec 4>four; echo 'not lost' >&2; } 2>/dev/null
sh -c 'echo still here >&2' 2>&1
{ echo no; } </nonexistent 2>/dev/null
echo "group: $?"
printf 'a\nb\n' | { exec <&-; cat 2>/dev/null || echo "closed in the group"; }
