# Sourced by ./demo and ./test, never run by itself. Everything it makes lies in .venv; the system's Python is left alone.

say() { printf '%s\n' "$*" >&2; }

die() { # die WHAT HINT
    say "error: $1"
    say "hint: $2"
    exit 1
}

# Networks fail now and then; a download that fails three times has a reason.
again() {
    for pause in 2 5 0; do
        "$@" && return 0
        [ "$pause" = 0 ] || { say "that failed; trying again in $pause s"; sleep "$pause"; }
    done
    return 1
}

find_python() {
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
}

make_environment() {
    [ -x .venv/bin/python ] && [ -x .venv/bin/uv ] && return
    python="$(find_python)"
    [ -n "$python" ] || die "Python 3.11 or newer is needed, and none was found" \
        "install it; on Debian and Ubuntu: sudo apt-get install python3 python3-venv"
    say "making .venv with $("$python" --version)"
    "$python" -m venv --clear .venv || die "$python cannot make a virtual environment" \
        "install its venv module; on Debian and Ubuntu: sudo apt-get install python3-venv"
    again .venv/bin/python -m pip install --quiet --require-hashes -r requirements/uv.txt ||
        die "uv could not be downloaded" "look at the network, or at pip's own settings (pip config list), and try again"
}

is_prepared() {
    cat "requirements/$1.txt" pyproject.toml | cmp -s - ".venv/prepared-$1"
}

# prepare LOCK: .venv holds at least what requirements/LOCK.txt lists, and Rayhound itself, editable.
prepare() {
    make_environment
    is_prepared "$1" || is_prepared dev && return # dev holds everything that the others do
    lock="requirements/$1.txt"
    say "installing what $lock lists into .venv"
    again .venv/bin/uv pip install --quiet --python .venv --require-hashes -r "$lock" ||
        die "the packages could not be downloaded" "look at the network, or at uv's own settings, and try again"
    .venv/bin/uv pip install --quiet --python .venv --no-deps --no-build-isolation --editable . ||
        die "Rayhound could not be installed into .venv" "remove .venv and try again"
    cat "$lock" pyproject.toml >".venv/prepared-$1"
}
