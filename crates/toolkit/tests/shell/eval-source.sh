cd "$(mktemp -d)"
x='echo "$y"'; y='a  b'; eval $x
echo 'z=sourced; echo "args $*"; return 3' > lib.sh
. ./lib.sh one two; echo $? $z
source ./lib.sh; echo $z
eval 'for i in 1 2; do echo $i; done'
command -v echo; command -v nosuch; echo $?
