( trap 'echo sub exit' EXIT; echo in )
( trap 'echo status $?; exit 4' EXIT; exit 3 ); echo $?
x=$(trap 'echo substitution' EXIT; echo body); echo "$x"
trap 'echo outer' EXIT
( echo no trap of mine )
( trap 'echo to file' EXIT; echo a ) >/dev/null
echo end
