cd "$(mktemp -d)"
touch a1 a2 b1 .hidden "sp ace"
echo * ; echo a*; echo [ab]1; echo ?1; echo nope*
shopt -s nullglob; echo nope* end; shopt -u nullglob
shopt -s dotglob; echo *; shopt -u dotglob
set -f; echo *; set +f
shopt -s extglob
echo !(a*|d); echo @(a1|b1)
