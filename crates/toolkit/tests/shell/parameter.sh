f=/usr/lib/name.tar.gz
echo ${f##*/} ${f%/*} ${f#*/} ${f%.*} ${f%%.*}
echo ${#f} ${f:5} ${f:5:3} ${f: -3} ${f/lib/LIB} ${f//a/A} ${f/#\/usr/U} ${f/%gz/xz}
x=hello; echo ${x^} ${x^^} ${x:1:2}; y=HELLO; echo ${y,} ${y,,}
unset z; echo ${z:=set} $z ${z:+alt} [${q:+alt}]
(: ${q:?message}) 2>/dev/null; echo $?
n=x; echo ${!n}
set -- a b c; echo $# $2 ${@:2} ${*: -1}; shift; echo $1
