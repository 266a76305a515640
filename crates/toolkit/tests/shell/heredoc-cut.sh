# The end of the file ends a here-document as well.
bash -c $'cat << END\nof a string\nin two lines' 2> /dev/null
printf 'cat << A; cat <<- B\nfirst\nA\n\tsecond\n' > script
bash script 2> warning
grep -c 'delimited by end-of-file' warning
eval $'cat << "X Y"\n$HOME'
cat << END
the last
