# What follows a command on standard input is for the command to read.
bash << 'END'
read line
first line
echo "<$line>"
for i in 1 2
do
  echo $i
done
cat
the rest
END
echo $?
printf 'echo one\nif\n' | bash 2> /dev/null; echo $?
