# What stands before an error in the text has run.
echo first
f() {
    echo second
}
f
if true; then echo third; fi
echo fourth; ) echo never
echo never
