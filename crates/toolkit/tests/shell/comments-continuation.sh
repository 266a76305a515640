#!/bin/sh
echo a # comment
echo b \
  c
echo "#no" a#b
: ignored; echo $#
true \
  && echo joined |
  cat
