log() { while IFS= read -r line; do printf '%s: %s\n' "$1" "$line"; done; }
work() { echo start; seq 1 3; echo problem >&2; return 3; }
work 2>&1 | log work
echo "${PIPESTATUS[0]}"
set -o pipefail; work 2>/dev/null | log again; echo $?
x=$(work 2>/dev/null | log sub); echo "$x"
eval 'work 2>/dev/null | log evaluated'
{ echo a; exit 5; } | cat; echo "${PIPESTATUS[@]}"
if work 2>/dev/null | grep -q 2; then echo found; fi
