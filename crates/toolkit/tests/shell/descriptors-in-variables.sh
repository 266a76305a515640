# A redirection finds a descriptor that is free, and a variable gets its number.
exec {out}> written
echo "$((out >= 10))"
echo a line >&$out
echo another >&"$out"
exec {out}>&-
cat written
(echo closed >&$out) 2> /dev/null || echo it is closed
lock() { exec {held}> lock; echo locked >&$held; }
lock
echo from outside >&$held
exec {held}>&-
cat lock
exec {text}<< END {copy}<&0
of a document
END
read -r line <&$text
echo "$line"
exec {text}<&- {copy}<&-
true {more}< written
cat <&$more
exec {files[2]}< written
read -r -u "${files[2]}" line
echo "$line ${#files[@]}"
# Moved, not copied.
exec 5< written
exec 0<&5-
read -r line
echo "$line"
{ read -r -u 5 line; } 2> /dev/null || echo 5 is closed
