# A here-document that the end of a substitution would have to end.
bash -c $'echo "$(\ncat << END\n) rest"\nmore' 2> /dev/null
echo $?
bash -c 'echo $(cat' 2> /dev/null
echo $?
