# Numbers with a fraction in hexadecimal, read and written.
printf '%f %g %e\n' 0x1.8 0x10 -0xA
printf '%a|%a|%a|%a|%A\n' 1 0 -2.5 255.5 255.5
printf '%.2a|%.0a|%.20a|%#a\n' 255.5 1.9375 1.5 2
printf '%20a|%-20a|%+a|% a|%020a\n' 3 3 7 7 5
printf '%.3f\n' 0x1.8zz 2>/dev/null; echo "status $?"
