# A job that runs in the background already is left alone.
set -m
sleep 0.2 &
bg 2>&1 | sed 's/^.*bg: //'
bg %1 > out 2> err; echo $?; cat out; sed 's/^.*bg: //' err
: &
sleep 0.1
sh -c 'kill -s STOP $$; echo went on' 2> /dev/null
fg 2> /dev/null
