exec 2>&1
exec > /dev/null
echo hidden
exec sh -c 'exit 9'
echo never
