# Aliases are put in before a command is parsed.
alias say='echo said' twice='say ' word=again
say 1
twice word
alias say
alias quoted='echo "it'\''s"'
alias -p | sort
quoted
alias begin='{' end='}' when=if
begin
    when true; then echo in braces; fi
end
alias loop='for i in 1 2; do echo $i;'
loop done
alias self='self-not-found 2>/dev/null || echo self'
alias self-not-found=false
self
alias ls='echo ls'
ls x
\ls /nonexistent 2>/dev/null || echo "the command"
say=1; echo "$say"
case say in say) echo matched;; esac
alias redirected='>out.txt'
redirected echo in a file; cat out.txt
unalias say
say 2>/dev/null || echo "no more: $?"
unalias nothing 2>/dev/null || echo "unalias: $?"
(alias inner='echo inner'
inner)
alias comment='echo before; #'
comment not run
