export A=1; B=2; sh -c 'echo "$A[$B]"'
C=3 sh -c 'echo $C'; echo "[$C]"
readonly R=5; (R=6) 2>/dev/null; echo $R
unset A; echo "[${A-unset}]"
declare -r D=x; echo $D
x=abc; x+=def; echo $x
a=1 b=2 c=$a$b; echo $c
local_test() { local v=in; inner; }; inner() { echo $v; }; local_test; echo "[$v]"
