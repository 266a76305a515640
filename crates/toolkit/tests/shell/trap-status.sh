# exit and return without a number in a trap have the status from before it.
( trap 'true; exit' EXIT; exit 5 ); echo $?
f() { (exit 4); return; }
f; echo $?
