echo 'single $x' "double \"q\" \$x" plain\ space $'tab\there' "a"'b'c
x='  a   b  '; echo $x; echo "$x"
echo "*" '*' \*
printf '%s|' "$@" "" a; echo
echo "line
break"
echo -e 'a\tb\n' ; echo -n no; echo newline
