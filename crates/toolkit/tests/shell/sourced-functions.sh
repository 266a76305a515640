cd "$(mktemp -d)"
cat > lib.sh <<'END'
emit() { for i in 1 2 3; do echo "$i"; done; }
take() { emit | while read -r x; do echo "took $x"; done; }
START=$BASH_SOURCE
END
. ./lib.sh
take; emit | tail -n 1; echo "$START"
big() { seq 1 30000 | while read -r x; do echo "$x"; done; }
big | tail -n 1
