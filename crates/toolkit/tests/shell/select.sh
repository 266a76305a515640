# `select` lets the user choose.
PS3='Which? '
select disk in sda 'sdb (usb)' sdc; do
  echo "got <$disk> by <$REPLY>"
  [[ $REPLY == 3 ]] && break
done 2> menu <<< $'2\n\n7\n3\n1\n'
echo "$? $disk"
cat menu
select nothing in a b; do echo never; done 2> /dev/null < /dev/null
echo $?
set -- first second
select parameter; do echo "$parameter"; break; done 2> /dev/null <<< 2
select none in; do echo never; done
echo $?
for none in; do echo never; done
