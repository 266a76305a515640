# A process substitution may be a part of a word.
file=<(echo) 
echo "${file%/*}"
show() { cat "${1#*=}"; }
show --file=<(echo in an argument)
for part in --part=<(true); do echo "${part%%[0-9]*}"; done
echo x<(true)y | tr -d 0-9
echo "<(quoted)" \<(escaped\)
x=5
echo $((x<(3))) $((x>(3)))
(( x<(9) )) && echo less
PART=<(true) printenv PART | tr -d 0-9
for i in 1 2 3; do last=<(echo $i); done
echo "${last##*/}"
