echo "$(echo 'a  b')" $(echo 'a  b')
echo `echo old \`echo nested\``
x="$(printf 'a\n\n\n')"; echo "[$x]"
echo "${x:-$(echo d)}" "$(echo "$(echo "deep")")"
