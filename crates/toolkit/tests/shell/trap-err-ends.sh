# What ends the shell has its trap once.
for option in -e +e; do
    bash -c "set $option; trap 'echo ERR' ERR; trap 'echo EXIT' EXIT; eval false; echo after"
    bash -c "set $option; trap 'echo ERR' ERR; trap 'echo EXIT' EXIT; eval 'echo \${v?}'; echo after" 2> /dev/null
    bash -c "set $option; trap 'echo ERR' ERR; f() { return 3; }; f; echo after"
    bash -c "set $option; trap 'echo ERR' ERR; f() { exit 3; }; f; echo after"
    bash -c "set $option -E; trap 'echo ERR' ERR; f() { false; echo in f; }; f; echo after"
    bash -c "set $option; trap 'echo ERR' ERR; (exit 4); echo after"
done
