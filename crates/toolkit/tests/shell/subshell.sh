x=1
(x=2; cd /; echo $x; exit 3); echo $? $x
y=$(x=5; echo $x; exit 4); echo $? $y $x
echo $BASH_SUBSHELL
(echo $BASH_SUBSHELL)
