# A signal that ends a shell ends it after its EXIT trap.
for signal in HUP INT TERM USR1; do
  bash -c 'trap "echo cleaned up" EXIT; kill -'$signal' $$; echo after' 2> /dev/null
  echo "$signal $?"
done
bash -c 'trap "echo by exit" EXIT; trap "echo by signal" TERM; kill -TERM $$; echo goes on'
echo $?
bash -c 'trap "" TERM; kill -TERM $$; echo ignored'
