trap 'echo "exit $?"' EXIT
echo body
exit 7
