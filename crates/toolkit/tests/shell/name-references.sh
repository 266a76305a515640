# A name reference stands for the variable whose name it holds.
double() { local -n number=$1; number=$((number * 2)); number+=!; }
count=21
double count
echo "$count"
fill() { local -n list=$1; list=(one "two three"); list+=(four); list[5]=six; }
fill words
declare -p words
keys() { local -n map=$1; map[new]=1; echo "${!map[@]} ${#map[@]} ${map[old]}"; }
declare -A ages=([old]=99)
keys ages
echo "${ages[new]}"
declare -n alias=words
echo "$alias ${alias[1]} ${#alias[@]} ${!alias}"
for word in "${alias[@]}"; do echo "<$word>"; done
unset alias[1]
declare -p alias words
declare -n element=words[0]
element=changed
echo "$element ${words[0]}"
first=1 second=2
declare -n which
for which in first second; do echo "${!which} $which"; which=$((which + 10)); done
echo "$first $second"
((which++))
echo "$second $((which + 1))"
read -r which <<< typed
printf -v which '%s too' "$which"
echo "$second"
[[ -R which ]] && echo a reference
[[ -v which ]] && echo of something
unset which
echo "${second-gone}"
unset -n which
which=plain
echo "$which ${second-still gone}"
outer() { local value=outer; inner value; echo "$value"; }
inner() { local -n value=$1; value=inner; }
value=global
outer 2> /dev/null
echo "$value"
