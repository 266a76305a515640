# Where there is one word, `$*` is joined as IFS says.
show() { for word in "$@"; do printf '<%s> ' "$word"; done; echo .; }
set -- one "two three" four
for IFS in '' : ' '; do
    unset var
    show ${var=$*}
    show "$var"
    var=$*; show "$var"
    unset var; show "${var=$*}" "${var:-$*}"
    x=onetwo; set -- one two; show ${x#$*}; x=one:two; show ${x#$*}
    set -- one "two three" four
done
unset IFS
say() { echo "<$*> X${*:+ }X X${*-unset}X X${*:-none}X ${@:+some} ."; }
for IFS in ' ' : ''; do
    say a b; say "" c; say ""; say "" ""; say
done
unset IFS
a=("" ""); echo "${a[*]:+x}" "${a[@]:+y}" "${a[*]:-z}"
(unset v; : "${v?$*}") 2>&1 | sed 's/.*v: //'
test \( ! -e \); echo $?
test \( -n x \); echo $?
test \( -n '' \); echo $?
