# Builds that go on beside the tests, one after the other, because they take half an hour on a new machine. .ci/run
# begins them, and waits for each where it is needed; whatever cannot be built ends it with the end of the log.

builds="" builder=""

# begin_builds FUNCTION: runs it in the background, where it calls `build`.
begin_builds() {
    builds=$(mktemp -d)
    set -m # a process group of its own, which ends as a whole
    (
        patient_go
        "$1"
    ) >"$builds/log" 2>&1 </dev/null &
    builder=$!
    set +m
}

end_builds() {
    kill -- "-$builder" 2>/dev/null || true
    rm -rf "$builds"
}

# The compilers step back for the tests. What these builds leave running, Docker and the node, must not.
patient_go() {
    mkdir "$builds/bin"
    printf '#!/bin/sh\nexec nice -n 19 "%s" "$@"\n' "$(command -v go)" >"$builds/bin/go"
    chmod 755 "$builds/bin/go"
    PATH="$builds/bin:$PATH"
}

# build NAME COMMAND…: one of the builds; `built NAME` waits for it.
build() {
    local name=$1 from=$SECONDS
    shift
    echo "── $name: $*"
    again "$@"
    minutes "$from" >"$builds/$name.new"
    mv "$builds/$name.new" "$builds/$name"
}

# built NAME: waits until it is built. Says nothing where no builds were begun: there everything is installed already.
built() {
    local from=$SECONDS
    [ -n "$builder" ] || return 0
    while [ ! -e "$builds/$1" ] && kill -0 "$builder" 2>/dev/null && [ $((SECONDS - from)) -lt 3600 ]; do
        sleep 1
    done
    if [ ! -e "$builds/$1" ]; then
        echo "error: $1 is not built after waiting for $((SECONDS - from)) s; the end of the log:" >&2
        tail -n 40 "$builds/log" >&2
        return 1
    fi
    echo "── $1: built in $(<"$builds/$1") meanwhile, waited for $((SECONDS - from)) s"
}
