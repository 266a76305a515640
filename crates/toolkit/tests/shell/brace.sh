echo {a,b,c}{1,2} {1..5} {a..e} {10..0..5} pre{x,y}post {a}
echo "{a,b}" a{b,c{d,e}}f
