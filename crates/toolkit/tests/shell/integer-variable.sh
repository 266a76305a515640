declare -i n=5; n=n+2; echo $n
