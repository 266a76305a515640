x=world
cat <<EOF
hello $x $(echo sub) $((1+2)) \$x
EOF
cat <<'EOF'
raw $x $(echo sub)
EOF
cat <<-EOF
	indented $x
	EOF
cat <<A; cat <<B
first
A
second
B
