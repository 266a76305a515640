d=$(mktemp -d); cd "$d"; mkdir a; cd a; [ "$PWD" = "$d/a" ] && echo pwd; cd ..; cd - > /dev/null; [ "$OLDPWD" = "$d" ] && echo old
(cd /; pwd); pushd / > /dev/null; pwd; popd > /dev/null; [ "$PWD" = "$d/a" ] && echo back
cd /nope 2>/dev/null || echo failed
