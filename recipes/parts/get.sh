# Files by digest. To be sourced after say.sh; $FETCH_OPTIONS are options of `xb fetch`.

# Gets a file as TO. WHAT is a path, of the bundle or of the machine, or a URL with the SHA-256 of what comes behind a blank.
get() { # WHAT TO
    case $1 in
        http://* | https://*)
            url=${1%%[[:blank:]]*}
            digest=${1##*[[:blank:]]}
            [ "$digest" != "$1" ] || refuse "$url stands without its SHA-256"
            # shellcheck disable=SC2086 # several options
            xb fetch $FETCH_OPTIONS --sha256 "$digest" -o "$2" "$url" || fail "$url could not be fetched as it should be"
            ;;
        *)
            # The boot medium, for one, may not be mounted yet.
            case $1 in /*) xb settle "$1" || refuse "there is no file $1 on the machine" ;; esac
            [ -f "$1" ] || refuse "there is no file $1 in the bundle"
            # A file of the bundle is in memory already.
            ln -s "$(readlink -f "$1")" "$2"
            ;;
    esac
}
