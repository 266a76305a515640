# What bash says on standard error is compared too, but for the name of the shell.
exec 2>&1
say() { "$@" 2>&1 | sed 's/^[^ ]*: line [0-9]*: //'; echo "= ${PIPESTATUS[0]}"; }
say printf '%5.2f|%-5s|%05d|%x|%o|%e|%g\n' 3.14159 ab 42 255 8 12345.678 0.0001
say printf '%b|\n' 'a\tb\0101\x41\c' zzz
say printf '%*d|%-*d|%.*f|%*s|\n' 5 42 5 42 2 3.14159 -8 ab
say printf '%d\n' 0x1f 010 "'A" '"é' +5 ' 5'
say printf '%i %u %x %o\n' -3 -3 -1 0xffffffffffffffff
say printf '%d %d\n' 1 2 3
say printf '%%|%5%|\n'
say printf '%d\n' abc
say printf '%d\n' 12abc
say printf '%d\n' ''
say printf '%d\n' 1e3
say printf '%d\n' '1 2'
say printf '%d\n' 99999999999999999999
say printf '%x\n' 18446744073709551616
say printf '%z\n' a
say printf 'a\cb\q\n'
say printf -- '-%s\n' a
say printf '%s|%c|%c' '' '' hello
say printf '%+d|% d|%#x|%#o|%+08d|%08.3f\n' 5 5 255 8 7 3.14159
say printf '%ld %lld %hd %5.3d\n' 5 6 7 8
say printf '%f %F %G %E\n' inf nan 1e10 1
say printf '%.2b|\n' 'a\nb'
say printf '%.0f %.10g %#.3g\n' 2.5 1.1 5
say printf '%q ' 'a~' '~a' 'a#b' '#a' 'a=~b' 'x,y' '{a}' '%' @ +- é '' $'a\tb\001' "it's"
say printf '%Q|%10q|%.3Q|\n' 'a b' 'a b' 'a bcdef'
say printf '%f\n' abc
say printf '%f\n' 1.5x
printf '%s' lost 2> said > /dev/full; echo $?; sed 's/.*: printf: //' said
printf -v x '%03d' 7; printf -v 'a[2]' hi; echo "$x ${a[2]}"
printf '%(%Y-%m-%d %H:%M:%S)T|%(%s)T\n' 86400 12
export TZ=CET-1; printf '%(%H:%M %Z)T\n' 3600
