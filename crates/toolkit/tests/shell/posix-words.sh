# Words within braces are kept as they were written, in double quotes and without.
unset u
a=1
show() { printf '[%s]' "$@"; echo; }
show "${u-two  spaces   three}" ${u-two  spaces}
show "${a+x 'y'  z}" "${u:-"in  quotes"}" "${u-a"b  c"d}"
show "${u-it's}" "${u-\}}" "${u-a\"b}" ${u-'single  quoted'}
show "${u-$(echo 'sub }')}" "${u-${a+nested  }}" "${u-`echo back  tick`}"
show "${a+'$a'}" ${a+'$a'}
cat <<END
${u-it's "so"}
${a+x  y}
END
s=abcabc
show "${s#'a'}" "${s%'bc'}" "${s/'b'/'x y'}" "${s//b/ }"
p=/usr/bin/x
show "${p//\//-}" "${p////-}" "${p///u/+}"
IFS=
set -- 1 '2  3' 4
show "$*" "$@"
IFS=:
show "$*" "${u-$*}"
x=$*
show "$x"
unset IFS
show "$*"
x=']a'
show "${x#[]]}" "${x%[[:alpha:]]}" "${x#[![:alpha:]]}"
case - in [a-]) echo dash;; esac
case a in [[.a.]]) echo collating;; esac
case b in [[=b=]]) echo equivalent;; esac
echo "$(( 18446744073709551617 ))" "$(( (a)+++3 ))" "$(( - -3 ))"
(echo "${u!}"; echo not reached) 2>/dev/null
echo "status $?"
u=1; (echo "${u@Z}"; echo not reached) 2>/dev/null
echo "status $?"
