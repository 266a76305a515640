# What is easily read wrong.
echo one &\
& echo two
echo $\
(echo three)
cat << END
fo\
ur \$x
EN\
D
cat << "a\b"
five
a\b
echo $(case a in a) echo six;; esac)
x=$(case b in (a) echo no;; b) case c in c) echo seven;; esac;; esac); echo "$x"
(case esac in "esac") echo eight;; esac)
( (echo nine) )
((n = 3 + 4)); echo $n
set -- a b; echo "${#} ${##} ${#?} ${#1} [${##2}] [${#%3}]"
echo {01..03} {-1..1} {3..1} {1..99999999999999999999}
echo `echo \$n '\\'`
mkdir folder; : > folder/file; : > plain; echo */file; echo */; rm -r folder plain
echo last\
