# Reserved words keep their places beside aliases, and what a substitution runs has aliases too.
alias forx='for x ' i='in 0' in='in 1' for='in 2' do=';'
forx i a; do echo $x; done
forx in a; do echo $x; done
set -- 1
forx do echo $x; done
unalias in for do i
alias c='case a ' in=
c in a) echo B; esac
unalias in
alias long=echo
lo\
ng joined
alias e=echo
echo "[$(e ok)]"
# A here-document that is announced before a substitution of several lines.
cat <<'OUTER'; echo "$(cat <<'INNER'
inner
INNER
)"
outer
OUTER
cat <<A; echo "$(
echo one
echo two)"; cat <<B
text of A
A
text of B
B
