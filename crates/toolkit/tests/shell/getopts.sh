f() { local OPTIND=1 o; while getopts ':ab:c' o; do case $o in a) echo a;; b) echo "b=$OPTARG";; :) echo "missing $OPTARG";; \?) echo "bad $OPTARG";; esac; done; shift $((OPTIND-1)); echo "rest $*"; }
f -a -b val x y
f -ab
f -z -c -- -a
