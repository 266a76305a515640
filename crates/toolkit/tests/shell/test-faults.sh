exec 2>&1
say() { "$@" 2>&1 | sed 's/^[^ ]*: line [0-9]*: //'; echo "= ${PIPESTATUS[0]}"; }
say [ a b ]; say [ a b c ]; say [ a b c d ]; say test a b c d e; say [ a
say [ a -lt 3 ]; say [ 3 -lt x ]; say [ 1 = 2 -a a -lt 3 ]; say [ '' -eq 0 ]
say [ 99999999999999999999 -gt 1 ]; say [ 0x10 -eq 16 ]; say [ ' 7 ' -eq 07 ]
say [ '(' ')' ]; say [ ! a b c ]; say [ -z a -a ]; say [ -q x ]; say [ a = ]
say [ ! ]; say [ ]; say test; say [ '(' a ')' ]; say [ -n = -n ]; say [ -a -a -a ]
say [ 1 = 1 -a '(' 2 = 3 -o 4 = 4 ')' ]
if [ a -gt b ]; then echo yes; else echo no; fi
