# A function with an OPTIND of its own does not disturb its caller.
inner() {
  local OPTIND=1 option
  while getopts abc option; do echo "inner $option"; done
}
outer() {
  local OPTIND option
  while getopts :xyz option; do
    echo "outer $option"
    [[ $option == y ]] && inner -ab -c
  done
}
outer -xyz -x
while getopts pq option -pq -p; do echo "main $option"; inner -c; done
