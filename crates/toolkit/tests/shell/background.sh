sleep 0.05 & wait $!; echo $?
(exit 3) & wait $!; echo $?
f() { echo bg; }; f & wait
sleep 0.01 & sleep 0.01 & wait; echo done
{ sleep 0.2; echo late; } & echo early; wait
