# A function that is printed does the same when it is read again.
f() {
  cat << END
hello $1
  indented
END
  cat <<- 'END' | tr a-z A-Z
	not expanded $1
	END
  if true; then cat << ONE << TWO && echo after; fi
one
ONE
two
TWO
  while read -r line; do echo "<$line>"; done << END 3>&1 2>&1
1
2
END
  echo "over
  two lines" 'and
  these' $'\t' >&2 2>&1
  case $1 in a | b) echo 1 ;; x*) echo "x
  y" ;& (c) echo 3 ;; esac
  for ((i = 0; i < 2; i++)); do echo $i; done
  for name in a "b c"; do echo "$name"; done
  for argument; do echo "$argument"; done
  echo "$(cat << END
inner
END
)"
  inner() { echo "in
  ner"; }
  inner
  exec {fd}> /dev/null
  [[ $1 == x* && ! -e /nonexistent ]] && (echo sub) 2> /dev/null
}
declare -f f > printed
export -f f
bash -c 'f xyz'
unset -f f
. ./printed
f xyz
