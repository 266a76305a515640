# CHLD is counted child by child.
n=0
trap 'n=$((n+1))' CHLD
sleep 0.05 & sleep 0.05 & wait
trap - CHLD
echo $((n >= 2))
