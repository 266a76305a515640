printf '%s %d %5d|%-5s|%05.1f %x %o %c %%\n' str 42 7 ab 3.14159 255 8 z
printf '%s\n' a b c
printf -v var '%03d' 7; echo $var
printf '%b' 'x\ty\n'
printf '%s-%s\n' a b c
