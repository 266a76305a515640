type -t if; type -t cd; type -t sh; f() { :; }; type -t f
command echo direct; builtin echo built
hash sh; echo $?
