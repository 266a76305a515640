cd "$(mktemp -d)"
mkdir -p d/e; touch d/e/f; shopt -s globstar; echo **/f
