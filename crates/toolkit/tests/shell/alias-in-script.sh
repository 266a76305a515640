# A script that asks for aliases has them from the next line on.
shopt -s expand_aliases
alias greet='echo hello'
greet you
alias twice='greet one; greet'
twice two
if true; then
  alias late='echo late'
fi
late
unalias greet
greet 2> /dev/null || echo unknown
