# `local -` keeps the options that a function sets to itself.
touch file
f() { local -; set -f +u; echo *; unset none; echo "$none"; }
set -u
f
echo * "$-" | grep -c u
g() { set -f; h; echo *; }
h() { local -; set +f; echo *; }
g
