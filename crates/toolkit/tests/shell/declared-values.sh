# What a declaration assigns is calculated for integers, and put behind what there is with `+=`.
declare -i sum=4+5
sum+=2*3
echo $sum
typeset -i list=(1+1 2*3)
list+=(4+4)
list[0]+=5
echo "${list[@]}"
f() { local -i n=$1*2; n+=1; echo $n; local text+=fresh; text+=' and more'; echo "$text"; }
text=outside
f 21
declare text+=' and appended'
echo "$text"
names=(a)
declare names+=(b 'c d')
declare -p names
i=3
places=([i]=x [i+1]=y [2*i]=z)
declare -p places
declare -a others=([i*2]=w)
declare -p others
declare -A keys=([i]=1 [i+1]=2)
echo "${keys[i]} ${keys[i+1]} ${#keys[@]}"
