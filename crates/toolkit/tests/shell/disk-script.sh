set -euo pipefail
cd "$(mktemp -d)"
log() { printf '[%s] %s\n' "$1" "$2"; }
trap 'log exit "$?"' EXIT
dd if=/dev/zero of=disk bs=1024 count=64 2>/dev/null
printf 'magic' | dd of=disk bs=1 seek=512 conv=notrunc 2>/dev/null
sum=$(sha256sum disk | cut -d' ' -f1)
log sum "${sum:0:16}"
if [ "$(dd if=disk bs=1 skip=512 count=5 2>/dev/null)" = magic ]; then log found magic; fi
declare -A want=([disk]=65536)
for f in "${!want[@]}"; do size=$(stat -c %s "$f"); [ "$size" -eq "${want[$f]}" ] || { log bad "$f"; exit 1; }; done
while IFS=' ' read -r name value; do log "$name" "$value"; done <<END
alpha 1
beta two words
END
mkdir -p a/b; echo x > a/b/c; cp -r a d; mv d e; ls e/b; rm -r a e; [ ! -e a ]
false || log recovered yes
exit 4
