IFS=:; x="a:b:c"; for p in $x; do echo "[$p]"; done
IFS=$' \t\n'; set -- $x; echo $#
IFS=; y="a b"; for p in $y; do echo "[$p]"; done
unset IFS; z=" a  b "; for p in $z; do echo "[$p]"; done
set -- "a b" c; for p in "$*"; do echo "$p"; done; IFS=-; echo "$*"
