# A text with lines in it is one text to an expression; what all is quoted is an expression, too.
[[ $'first\nsecond' =~ ^second ]]; echo $?
[[ $'first\nsecond' =~ first$ ]]; echo $?
[[ $'first\nsecond' =~ first.second ]]; echo $?
[[ one.two =~ "e.t" ]]; echo "$? ${BASH_REMATCH[0]}"
[[ onextwo =~ "e.t" ]]; echo "$? ${#BASH_REMATCH[@]}"
[[ one =~ (o)(x)? ]]; declare -p BASH_REMATCH
