#!/usr/bin/env bash
# Builds the packages in a clean Debian and lives with them in another: install, serve mail, upgrade, remove, purge.
#
# usage: tests/packaging/debian.sh SUITE [--packages FOLDER] [--keep]
#
#   SUITE               bookworm or trixie
#   --packages FOLDER   takes packages built before instead of building them in SUITE; an upgrade is made of them
#   --keep              leaves the containers in build/debian/SUITE as they are at the end
#
# As root, with debootstrap and systemd-nspawn; without them it says so and exits with 77. Packages come from where this
# machine's own come from.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=${here%/tests/packaging}
usage() { sed -n '2,/^set/{s/^# \{0,1\}//;/^set/d;p}' "${BASH_SOURCE[0]}"; }
say() { printf 'debian: %s\n' "$*"; }
skip() { say "skipped: $*"; exit 77; }

suite='' packages='' keep=''
while [ $# -gt 0 ]; do
    case $1 in
        --packages) packages=$(cd "${2:?--packages needs a folder}" && pwd); shift ;;
        --keep) keep=1 ;;
        -h | --help) usage; exit 0 ;;
        [a-z]*) suite=$1 ;;
        *) usage >&2; exit 2 ;;
    esac
    shift
done
[ -n "$suite" ] || { usage >&2; exit 2; }
[ "$(id -u)" = 0 ] || skip "only root can make containers"
for program in debootstrap systemd-nspawn nsenter unshare; do
    command -v $program >/dev/null || skip "$program is missing"
done

work=$root/build/debian/$suite
mkdir -p "$work"
log=$work/log
: >"$log"
passed=0 failed=0 leader='' nspawn=''
finish() {
    local code=$?
    [ -z "$leader" ] || stop_container
    [ -n "$keep" ] || rm -rf "$work/build" "$work/run"
    exit $code
}
trap finish EXIT
check() { # NAME COMMAND...
    local name=$1
    shift
    [ ! -e "$work/last" ] || mv "$work/last" "$work/before"
    printf '==== %s\n' "$name" >>"$log"
    if "$@" >"$work/last" 2>&1; then
        passed=$((passed + 1))
        printf 'ok      %s\n' "$name"
    else
        failed=$((failed + 1))
        printf 'FAILED  %s: %s\n' "$name" "$*"
        tail -n 15 "$work/last" | sed 's/^/        /'
    fi
    cat "$work/last" >>"$log"
}

# ---- containers -------------------------------------------------------------------------------------------------------

if [ ! -e "$work/base/ready" ]; then
    say "making a minimal $suite"
    own=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
    mirror=$(apt-get indextargets --no-release-info --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        awk -v own="$own" '$2 == own && $3 == "main" { print $1; exit }')
    rm -rf "$work/base"
    debootstrap --variant=minbase "$suite" "$work/base" "$mirror" >>"$log" 2>&1 ||
        { tail -n 5 "$log"; skip "debootstrap cannot make $suite here"; }
    apt-config dump | grep -E '^Acquire::(http|https|ftp|Check-)' >"$work/base/etc/apt/apt.conf.d/90host" || true
    touch "$work/base/ready"
fi

# With the network of this machine, without services.
in_root() { # ROOT COMMAND...
    local where=$1
    shift
    cp /etc/resolv.conf /etc/hosts "$where/etc/" 2>/dev/null || true
    unshare -m --propagation private bash -c '
        where=$1; shift
        mount -t proc proc "$where/proc"
        mount --rbind /sys "$where/sys"
        mount --rbind /dev "$where/dev"
        if [ -d "$HOME/.cache/ccache" ]; then
            mkdir -p "$where/root/.cache/ccache"
            mount --bind "$HOME/.cache/ccache" "$where/root/.cache/ccache"
        fi
        exec chroot "$where" env -i HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
            PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"' in_root "$where" "$@"
}

# A real systemd, with a network of its own that leads nowhere.
start_container() {
    # What a systemd of a later release wants to hear on machines with control groups of version 1.
    local arguments=()
    [ -e /sys/fs/cgroup/cgroup.controllers ] ||
        arguments=(SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1 systemd.unified_cgroup_hierarchy=0)
    systemd-nspawn --quiet --directory="$work/run" --private-network --register=no --keep-unit --console=pipe --boot \
        "${arguments[@]}" >"$work/console" 2>&1 </dev/null &
    nspawn=$!
    local wait
    for wait in $(seq 300); do
        leader=$(pgrep -P $nspawn -o 2>/dev/null || true)
        if [ -n "$leader" ] && inside systemctl is-system-running 2>/dev/null | grep -qE 'running|degraded'; then
            return 0
        fi
        kill -0 $nspawn 2>/dev/null || break
        sleep 0.2
    done
    tail -n 20 "$work/console"
    return 1
}
stop_container() {
    kill -s RTMIN+4 "$leader" 2>/dev/null || true # power off
    local wait
    for wait in $(seq 100); do
        kill -0 "$nspawn" 2>/dev/null || break
        sleep 0.2
    done
    kill -KILL "$nspawn" 2>/dev/null || true
    wait "$nspawn" 2>/dev/null || true
    leader=''
}
inside() {
    nsenter --target "$leader" --mount --uts --ipc --net --pid -- env -i HOME=/root LC_ALL=C.UTF-8 \
        DEBIAN_FRONTEND=noninteractive PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
}
shell() { inside sh -ec "$1"; }

# ---- the packages -----------------------------------------------------------------------------------------------------

first=$(sed -n 's/^set(MAILCORE_VERSION \([0-9.]*\).*/\1/p' "$root/CMakeLists.txt")
next=${first%.*}.$((${first##*.} + 1))
if [ "$packages" = "$work/packages" ]; then # what an earlier run has left
    rm -rf "$work/given"
    mv "$packages" "$work/given"
    packages=$work/given
fi
rm -rf "$work/packages" "$work/build" "$work/run"
mkdir -p "$work/packages"
if [ -n "$packages" ]; then
    cp "$packages"/*_"$first"-*.deb "$work/packages/"
    for package in "$work/packages"/*.deb; do
        dpkg-deb --raw-extract "$package" "$work/next"
        sed -i "/^Version:/s/$first-/$next-/; /^Depends:/s/= $first-/= $next-/" "$work/next/DEBIAN/control"
        dpkg-deb --root-owner-group --build "$work/next" "${package/_$first-/_$next-}" >/dev/null
        rm -rf "$work/next"
    done
else
    say "building $first and $next in $suite (the log: build/debian/$suite/log)"
    cp -a "$work/base" "$work/build"
    mkdir "$work/build/src"
    (cd "$root" && git ls-files -z --cached --others --exclude-standard | tar --null --files-from=- -c) |
        tar -x -C "$work/build/src"
    for version in $first $next; do
        in_root "$work/build" bash -c "cd /src && ./cmake/package --version $version --output /packages" >>"$log" 2>&1 ||
            { tail -n 30 "$log"; exit 1; }
    done
    cp "$work"/build/packages/*.deb "$work/packages/"

    # The library, as a programmer finds it.
    check 'the library and its development files install' in_root "$work/build" \
        bash -c "apt-get install -q -y --no-install-recommends /packages/libmailcore*_$first-*.deb"
    check 'a program builds with pkg-config and runs' in_root "$work/build" bash -ec "cd /src/examples
        g++ -std=c++23 smtp_server.cpp -o /tmp/program \$(pkg-config --cflags --libs mailcore)
        readelf -d /tmp/program | grep -q 'NEEDED.*libmailcore.so.0.1' && /tmp/program"
    check 'a program builds with find_package and runs' in_root "$work/build" bash -ec "cd /src/tests/packaging/consumer
        cp ../../../examples/smtp_server.cpp ../../../examples/talk.h .
        cmake -S . -B /tmp/consumer && cmake --build /tmp/consumer
        for kind in mailcore shared static; do /tmp/consumer/program_\$kind; done"
    check 'the library is removed without a rest' in_root "$work/build" bash -ec "apt-get purge -q -y 'libmailcore*'
        ! find /usr /etc /var/lib -path '*mailcore*' ! -path '/var/lib/apt/*' | grep ."
fi

# ---- the server -------------------------------------------------------------------------------------------------------

say "installing in a fresh $suite"
cp -a "$work/base" "$work/run"
mkdir "$work/run/packages"
cp "$work"/packages/*.deb "$work/run/packages/"
in_root "$work/run" bash -ec "apt-get update -q
    apt-get install -q -y --no-install-recommends systemd systemd-sysv dbus curl
    apt-get install -q -y --no-install-recommends --download-only /packages/mdserver_$first-*.deb" >>"$log" 2>&1 ||
    { tail -n 30 "$log"; exit 1; }
start_container || skip "systemd does not start in a container of this machine"
shell 'ip link set lo up 2>/dev/null || true'

install() { shell "apt-get install -q -y $2 --no-install-recommends /packages/mdserver_$1-*.deb"; }
curl="curl -sSk --ssl-reqd --max-time 20"
send() { # SUBJECT
    shell "printf 'From: alice@demo.test\r\nTo: bob@demo.test\r\nSubject: $1\r\n\r\nIt works.\r\n' |
        $curl smtp://localhost:587 --user alice@demo.test:demo-password --mail-from alice@demo.test \
        --mail-rcpt bob@demo.test --upload-file -"
}
read_mail() { # INDEX SUBJECT: local delivery is asynchronous
    shell "for try in \$(seq 50); do
            $curl --user bob@demo.test:demo-password 'imap://localhost/INBOX;MAILINDEX=$1' 2>/dev/null |
                grep -q 'Subject: $2' && exit 0
            sleep 0.2
        done; exit 1"
}

check "mdserver $first installs" install "$first" ''
[ $failed = 0 ] || exit 1
check 'its user is there' shell 'id mdserver && test "$(stat -c %U:%a /var/lib/mdserver)" = mdserver:750'
check 'the service is enabled and, with nothing to serve, waits without failing' shell \
    'systemctl is-enabled mdserver && test "$(systemctl is-active mdserver)" = inactive && ! systemctl is-failed mdserver'
check 'the unit is in order' shell 'systemd-analyze verify mdserver.service 2>&1 | tee /tmp/verify; ! grep -i mdserver /tmp/verify'
check 'the sandbox is tight' shell 'systemd-analyze security --offline=yes --threshold=25 --no-pager mdserver.service'
check 'manuals and documents' shell 'ls /usr/share/man/man8/mdctl.8.gz /usr/share/doc/mdserver/README.md ||
    grep -q path-exclude /etc/dpkg/dpkg.cfg.d/*'
check 'mdctl init makes the data folder' inside mdctl init /var/lib/mdserver --domain demo.test --hostname localhost
check 'it belongs to the service' shell 'test -z "$(find /var/lib/mdserver ! -user mdserver)"'
check 'the service starts' inside systemctl start mdserver
check 'accounts are made while it runs' shell 'echo demo-password >/tmp/password
    for who in alice bob; do mdctl account add $who@demo.test --password-file /tmp/password; done'
check 'mail is sent' send one
check 'and read' read_mail 1 one
check 'it runs as its user' shell 'test "$(stat -c %U /proc/$(systemctl show -P MainPID mdserver))" = mdserver'
check 'a reload drops nothing' shell 'systemctl reload mdserver && systemctl is-active mdserver'

before=$(inside systemctl show -P MainPID mdserver)
check "an upgrade to $next" install "$next" ''
after=$(inside systemctl show -P MainPID mdserver)
check 'restarts the service' test "$before" != "$after" -a "$after" != 0
check 'keeps the mail' read_mail 1 one
check 'and goes on' send two
check 'with new mail' read_mail 2 two
if [ -z "$packages" ]; then
    check 'it is the new version' shell "mdserver version | grep -q $next"
fi
check 'an administrator who has masked or stopped it is obeyed' shell 'systemctl stop mdserver; systemctl disable mdserver'
check 'a reinstallation' install "$next" --reinstall
check 'leaves a disabled service disabled' shell 'test "$(systemctl is-enabled mdserver)" = disabled'
check 'started again' shell 'systemctl enable mdserver; systemctl start mdserver'

check 'removal' inside apt-get remove -q -y mdserver
check 'says where the mail is' grep -q 'stay in /var/lib/mdserver' "$work/before"
check 'stops the server' shell '! systemctl is-active mdserver && ! find /proc -maxdepth 2 -name exe -lname "*/mdserver" | grep .'
check 'keeps settings and mail' shell 'test -s /var/lib/mdserver/mdserver.toml && test -d /var/lib/mdserver/store'
check 'installed again' install "$next" ''
check 'it starts by itself' shell 'systemctl is-active mdserver'
check 'with the mail' read_mail 2 two
check 'purge' inside apt-get purge -q -y mdserver
check 'says that the mail goes' grep -q 'removing /var/lib/mdserver' "$work/before"
check 'leaves nothing but the user' shell 'test ! -e /var/lib/mdserver && ! systemctl is-active mdserver &&
    ! find /etc /usr /var/lib -name "*mdserver*" ! -path "/var/lib/apt/*" | grep . && id mdserver'

say "$suite: $passed passed, $failed failed"
[ $failed = 0 ]
