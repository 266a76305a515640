# Values have the patterns of `extglob` where that is set, and [[ ]] always.
touch abc 'a+(b).txt' ab.txt
x='@(*)' y='a+(b).txt'
echo $x $y
[[ abc == $x ]] && echo matches
[[ abb.txt == $y ]] && echo matches too
case abc in $x) echo case;; *) echo no case;; esac
echo "${y#a+(b)}" "${y%.@(txt|doc)}"
shopt -p extglob
shopt -s extglob
echo $x $y
case abc in $x) echo case;; *) echo no case;; esac
z='a+(b)'; v=abbc; echo "${v#$z}" "${v##$z}"
