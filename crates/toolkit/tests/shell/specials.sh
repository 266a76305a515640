[ "$SECONDS" -ge 0 ] && echo sec; [ "$RANDOM" != "$RANDOM$RANDOM" ] && echo rnd
[ $$ = "$(echo $$)" ] && echo pid; [ -n "$PPID" ] && echo ppid; echo $LINENO; case $- in *h*) echo h;; esac
echo "${0##*/}"
