#!/usr/bin/env bash
# Builds for 64-bit ARM and runs that under qemu-user: tests of the modules nearest to the machine, then a server.
#
# usage: tests/packaging/aarch64.sh
#
# Needs curl and what cmake/cross installs.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=${here%/tests/packaging}
cd "$root"
modules=(codec mime journal store)
build=build/aarch64
passed=0 failed=0 server=''
work=$(mktemp -d)
finish() {
    local code=$?
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$work"
    exit $code
}
trap finish EXIT
check() { # NAME COMMAND...
    local name=$1
    shift
    if "$@" >"$work/last" 2>&1; then
        passed=$((passed + 1))
        printf 'ok      %s\n' "$name"
    else
        failed=$((failed + 1))
        printf 'FAILED  %s: %s\n' "$name" "$*"
        tail -n 15 "$work/last" | sed 's/^/        /'
    fi
}

./cmake/cross aarch64 mdserver mdctl "${modules[@]/#/test_}"
emulated() { qemu-aarch64 -L "$build/sysroot" "$@"; }

check 'the programs are for ARM' bash -c "readelf -h $build/hosts/mdserver | grep AArch64"
for module in "${modules[@]}"; do
    check "tests of $module" emulated "$build/tests/test_$module"
done

data=$work/data
mdctl() { emulated "$build/hosts/mdctl" -d "$data" "$@"; }
check 'a data folder is made' emulated "$build/hosts/mdctl" init "$data" --domain demo.test --hostname localhost \
    --port-base 40000 --address 127.0.0.1
printf 'demo-password\n' >"$work/password"
for account in alice bob; do
    check "account $account" mdctl account add $account@demo.test --password-file "$work/password"
done
qemu-aarch64 -L "$build/sysroot" "$build/hosts/mdserver" run "$data" >"$work/server.log" 2>&1 &
server=$!
ready() { # under emulation a start takes its time
    local wait
    for wait in $(seq 300); do
        if grep -q '^mdserver: ready' "$work/server.log"; then return 0; fi
        kill -0 $server || break
        sleep 0.2
    done
    cat "$work/server.log"
    return 1
}
check 'the server starts' ready
check 'mail is sent over TLS' bash -c "printf 'From: alice@demo.test\r\nTo: bob@demo.test\r\nSubject: arm\r\n\r\nIt works.\r\n' |
    curl -sSk --ssl-reqd --url smtp://127.0.0.1:40587 --user alice@demo.test:demo-password \
    --mail-from alice@demo.test --mail-rcpt bob@demo.test --upload-file -"
check 'and read' bash -c "for try in \$(seq 100); do
    curl -sSk --ssl-reqd --user bob@demo.test:demo-password 'imap://127.0.0.1:40143/INBOX;MAILINDEX=1' |
        grep 'Subject: arm' && exit 0; sleep 0.2; done; exit 1"
check 'its store is in order' mdctl store check
stop() {
    kill -TERM $server
    wait $server
}
check 'it stops' stop
server=''

printf 'aarch64: %d passed, %d failed\n' $passed $failed
[ $failed = 0 ]
