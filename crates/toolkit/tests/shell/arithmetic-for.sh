# Any of the three expressions may be missing, and stand in a line of its own.
for ((;;)); do echo once; break; done
i=0
for ((; i < 2;)); do echo "a$i"; ((i++)); done
for ((i = 3;;)); do echo "b$i"; ((--i)) || break; done
for (( i = 0
     ; i < 2
     ; i++ ))
do echo "c$i"; done
for ((i = 0; i < 2; i++)) { echo "d$i"; }
for ((i=0;i<(2);i++)); do echo "e$i"; done
for word in x y; { echo "$word"; }
