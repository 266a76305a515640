printf 'a :\n' | ( IFS=': ' read x y; echo "($x)($y)" )
printf 'a:b:c:\n' | ( IFS=: read x y; echo "($x)($y)" )
read -r w <<< 'ä\ö'; echo "$w"
read -n 2 w <<< 'äöü'; echo "$w"
printf 'one\ntwo\n' > lines; { read a; cat; } < lines; rm lines
read -t 0.05 x < <(sleep 1); echo $?
