IFS=:; x="a:b::c"; for p in $x; do echo "[$p]"; done
