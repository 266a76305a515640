for x in apple Banana 42 "" a.txt; do
case $x in
  a*.txt) echo text ;;
  [A-Z]*) echo capital ;;
  [0-9]|[0-9][0-9]) echo number ;;
  "") echo empty ;;
  apple | pear) echo fruit ;;
  *) echo other ;;
esac
done
case a in a) echo one ;& b) echo two ;; esac
case a in a) echo one ;;& [a-c]) echo range ;; esac
