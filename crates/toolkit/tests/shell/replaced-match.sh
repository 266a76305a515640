# In a replacement an ampersand that is not quoted is what matched, and a dollar sign nothing special.
text=abcabc
echo "${text//b/[&]}" ${text/b/\&} "${text//b/\&}" "${text//[bc]/<&&>}"
with='<&>'
echo "${text/c/$with}" "${text/c/"$with"}" ${text//a/"&"} ${text//a/'&'}
echo "${text/#ab/&-}" "${text/%bc/-&}"
price='$1 ${0} $name'
echo "${text/b/$price}" "${text/b/'$1'}"
list=(one two)
echo "${list[@]/o/(&)}"
shopt -u patsub_replacement
echo "${text//b/[&]}"
