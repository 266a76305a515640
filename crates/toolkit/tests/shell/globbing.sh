cd "$(mktemp -d)"
touch a1 a2 b1 .hidden "sp ace"
echo * ; echo a*; echo [ab]1; echo ?1; echo nope*
shopt -s nullglob; echo nope* end; shopt -u nullglob
shopt -s dotglob; echo *; shopt -u dotglob
set -f; echo *; set +f
shopt -s extglob
echo !(a*|d); echo @(a1|b1)
# A pattern of several pieces, quoted and not.
mkdir pieces
touch pieces/f0 pieces/f1 pieces/f9 pieces/f-
digits=19
echo pieces/f[$digits]
echo pieces/f[0"-9"]
echo pieces/f[0$((-9))]
escaped='p*s/\f1'
echo $escaped
echo pieces/f["$digits"] pieces/f'[19]'
