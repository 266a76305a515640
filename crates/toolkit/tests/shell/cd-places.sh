exec 2>&1
say() { "$@" > said 2>&1; local status=$?; sed 's/^[^ ]*: line [0-9]*: //; s|.*/||' said; echo "= $status"; }
mkdir -p one/sub two/sub two/only real; ln -s real link; : > file; top=$PWD
say cd nowhere; say cd file; say cd one two; cd -Q 2> said; echo $?
CDPATH=:one:two
cd only > said; echo "${PWD#"$top"}"; cd "$top"
cd sub > said; echo "${PWD#"$top"}"; cd "$top"
cd ./two; echo "${PWD#"$top"}"; cd - > back; echo "${PWD#"$top"}"; cat back | grep -c .
unset CDPATH
cd link; echo "${PWD#"$top"}"; cd ..; echo "${PWD#"$top"}"
cd -P link; echo "${PWD#"$top"}"; cd "$top"
cd ''; echo "$? ${PWD#"$top"}"; cd -- one; echo "${PWD#"$top"}"
HOME=$top/two; cd; echo "${PWD#"$top"}"; cd "$top"
unset HOME OLDPWD; say cd; say cd -
