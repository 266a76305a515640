//! `find`: searches for files.

use crate::{
    applet::{Applet, Args},
    find,
};

pub(crate) static APPLET: Applet = Applet {
    name: "find",
    summary: "Prints the files below each PATH (.) for which EXPRESSION holds, or does something with them.",
    usage: "[-H | -L | -P] [PATH]... [EXPRESSION]",
    options: &[],
    notes: "\
-P follows no links (so it is), -H those that are given, -L all.

Tests (N is exactly N, +N more, -N less):
  -name GLOB  -path GLOB  -lname GLOB  -regex EXPR  (with i before: -iname; -regextype TYPE first)
  -type f,d,l,p,s,b,c  -xtype (the other way of following)  -empty  -size N[cwbkMG]  -links N  -inum N
  -perm MODE | -MODE (all of it) | /MODE (any of it)  -readable  -writable  -executable
  -user NAME  -group NAME  -uid N  -gid N  -nouser  -nogroup  -fstype TYPE  -samefile FILE
  -mtime DAYS  -mmin MINUTES  -atime  -amin  -ctime  -cmin  -used DAYS  -daystart (first)
  -newer FILE  -anewer FILE  -cnewer FILE  -newerXY FILE (of times a B c m; t for a date)
Actions:
  -print  -print0  -printf FORMAT  -ls  (with f before and a FILE: -fprint)  -delete  -prune  -quit
  -exec COMMAND {} ;  -exec COMMAND {} +  (-execdir in the file's folder; -ok, -okdir ask)
Together:
  ( EXPR )   ! EXPR   EXPR EXPR   EXPR -o EXPR   EXPR , EXPR
How it walks:
  -depth  -maxdepth N  -mindepth N  -xdev  -ignore_readdir_race  -files0-from FILE

What -printf and -regextype know is in GNU's manual of find.",
    example: "find /mnt/var/log -name '*.gz' -mtime +30 -delete\n\
              find /mnt -xdev -type f -newermt '2 hours ago' -printf '%T+ %s %p\\n'",
    run,
};

fn run(args: &Args) -> anyhow::Result<u8> {
    // Of words that are wrong the status is 1, as GNU's.
    find::find(&args.operands)
}
