# How a recipe speaks to the operator. To be sourced.

# What is being done now: on the screen and in `xenoboot run show`.
step() { # PERCENT TEXT...
    xb progress "$@"
}

# Nothing was changed, and why.
refuse() { # REASON...
    xb report "result=refused: $*"
    echo "refused: $*" >&2
    exit 3
}

# It went wrong on the way, and why.
fail() { # REASON...
    xb report "result=failed: $*"
    echo "failed: $*" >&2
    exit 1
}

# The key of a report has letters, digits, '-', '_' and '.'.
as_key() { # TEXT
    printf '%s' "$1" | tr -c 'A-Za-z0-9._-' '_' | cut -c 1-50
}
