# What `**` finds is in order; the folder it begins at has no name, or ends in a slash.
shopt -s globstar
mkdir -p tree/a/b tree/a-c
touch tree/a/x tree/a/b/y tree/a-c/z tree/w
cd tree
echo **
echo **/
echo a/**
echo ./**
echo **/*
echo */*
echo **/y
echo a/**/
echo "${PWD##*/}"/**
echo **/** a/**/**/y
