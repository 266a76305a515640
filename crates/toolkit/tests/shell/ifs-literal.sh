# Only what expands is split.
IFS=:
set -- a:b c; echo "$# $1"
x=d:e; set -- $x a:$x; echo "$# $1 $3"
set -- ${none-f:g}; echo $#
set -- {p,q}:r; echo "$# $1"
IFS=' :'; x=' :: h : i '; set -- $x; echo "$#|$1|$2|$3"
IFS=; x='j k'; set -- $x; echo $#
IFS=,; x=,l,; set -- $x; echo "$#|$1|$2"
