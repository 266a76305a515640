# Jobs of a script, by number.
sleep 0.01 | (exit 3) &
sleep 60 &
wait %1; echo $?
jobs | sed 's/  */ /g' | grep -c 'Running sleep 60 &'
kill %2; wait $!; echo $?
wait %9 2> /dev/null; echo $?
{ exit 6; } & wait -n; echo $?
sleep 0.3 & p=$!; sleep 0.01 & wait -n; echo $?; kill -0 $p && echo runs; wait
# What ends in the background leaves no zombie while something else runs.
sleep 0.01 & p=$!
bash -c 'until [ ! -e /proc/'$p' ]; do sleep 0.01; done'; echo gone
sleep 0.01 & p=$!
echo "$(until [ ! -e /proc/$p ]; do sleep 0.01; done; echo gone too)"
