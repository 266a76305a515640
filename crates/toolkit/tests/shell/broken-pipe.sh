# What a builtin writes to a pipe that nobody reads ends its subshell. More than a pipe holds, so that it cannot
# have been written before the reader was gone.
long=$(printf '%0100000d' 0)
{ printf '%s' "$long"; echo after $? >&2; } 2> said | :
echo "${PIPESTATUS[@]}"; cat said
{ echo "$long"; echo after $? >&2; } 2> said | :
echo "${PIPESTATUS[@]}"; cat said
trap 'echo bye' EXIT
{ echo "$long"; echo after $? >&2; } 2> said | :
echo "${PIPESTATUS[@]}"; cat said
trap '' PIPE
{ printf '%s' "$long" 2> /dev/null; echo after $? >&2; } 2> said | :
echo "${PIPESTATUS[@]}"; cat said
trap - PIPE
yes | head -n 1; echo "${PIPESTATUS[@]}"
trap '' PIPE
yes 2> /dev/null | head -n 1; echo "${PIPESTATUS[@]}"
