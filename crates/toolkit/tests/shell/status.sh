true; echo $?; false; echo $?; (exit 42); echo $?
nosuchcommand 2>/dev/null; echo $?
/etc/passwd 2>/dev/null; echo $?
sh -c 'kill -TERM $$' 2>/dev/null; echo $?
! true; echo $?; ! false; echo $?
exit 300
