exec 2>&1
say() { (eval "$1") 2>&1 | sed 's/^[^ ]*: line [0-9]*: //'; echo "= ${PIPESTATUS[0]}"; }
say 'set -u; echo $xx'; say 'echo ${xx?bad}'; say 'echo ${xx:?}'; say 'echo ${7?}'
say 'x=(a); set -u; echo ${x[3]}'; say 'set -u; echo $((yy+1))'; say 'readonly r=1; r=2'
