mkdir -p scripts; echo 'echo found; return 3' > scripts/part
PATH=$PWD/scripts:$PATH . part; echo $?
( cd scripts; . part; echo $? )
rm -r scripts
