# What goes on in the background is $! again.
set -m
sh -c 'kill -s STOP $$; exit 17' 2> /dev/null
(bg) 2>&1 | sed 's/^.*bg: //'
bg > said; wait $!; echo $?
exit 3 &
(wait $!) 2> /dev/null; echo $?
