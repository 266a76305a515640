# An argument that looks like an assignment has its tildes as in one.
HOME=/home/someone
echo of=~/image path=/bin:~/bin --of=~/image a/b=~ of='~' of="~"
x=of=~/image:~
echo "$x"
set -o posix
echo of=~/image
