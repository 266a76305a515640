# Modes in numbers and in letters.
umask 022
umask; umask -S; umask -p; umask -pS
for mode in u=rwx,g=,o= g+w o-x a=rx u+w,go-rx +x u=rw,g+x; do
    umask 022
    umask "$mode"
    echo "$mode $(umask) $(umask -S)"
done
umask 022
umask 999 2>/dev/null; echo "status $?"
umask u+q 2>/dev/null; echo "status $?"
saved=$(umask -S)
umask 777
umask "$saved"
umask
