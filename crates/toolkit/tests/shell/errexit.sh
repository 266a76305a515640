set -e
echo one
if false; then echo no; fi
false || echo two
! true
echo three
false
echo never
