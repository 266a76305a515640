trap 'echo bye' EXIT
trap - EXIT
trap 'echo int' INT
trap -p INT
echo end
