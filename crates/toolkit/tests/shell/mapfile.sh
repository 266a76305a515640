mapfile -t lines < <(printf 'a\nb c\n\nd')
echo ${#lines[@]}
printf '[%s]' "${lines[@]}"; echo
readarray -t two <<< $'x\ny'
echo "${two[1]}"
