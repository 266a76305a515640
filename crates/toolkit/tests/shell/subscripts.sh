# Keys with blanks, brackets and quotes; negative subscripts count from the last element.
declare -A map
map[two words]=1
map[two words]+=2
map[a b c]=3
echo "${map[two words]} ${map[a b c]} ${#map[@]}"
map["a]b"]=4
key='c]d'
map[$key]=5
echo "${map["a]b"]} ${map[$key]}"
declare -A other=([one key]="its value" [b]=2)
echo "${other[one key]} ${#other[@]}"
declare -A counts
for word in tar gzip tar cpio tar; do ((counts[$word]++)); done
echo "${counts[tar]} ${counts[gzip]} $((counts[tar] + counts[cpio]))"
((counts[tar] += 10, counts[new] = 7))
echo "${counts[tar]} ${counts[new]}"
unset 'map[two words]' 'map[$key]'
echo "${#map[@]}"
sparse=([2]=c [9]=j)
echo "${sparse[-1]} ${sparse[-8]} ${sparse[@]: -1}"
sparse[-1]=last
unset 'sparse[-8]'
declare -p sparse
list=(a b c)
list[${#list[@]}]=d
list[1 + 1]=C
echo "${list[@]}"
gaps=([1]=b [4]=e [9]=j)
echo "${gaps[@]:2}|${gaps[@]:4:1}|${gaps[@]:0:2}|${gaps[@]: -6:1}|${gaps[@]:10}|${gaps[@]: -20}|${#gaps[@]}"
for part in "${gaps[@]:5}"; do echo "<$part>"; done
read -r 'gaps[4]' 'gaps[5]' <<< 'read in two'
declare -p gaps
