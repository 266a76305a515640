(exec echo replaced; echo never)
( trap 'echo no' EXIT; exec sh -c 'exit 5' ); echo $?
x=$(exec echo out; echo never); echo "$x"
