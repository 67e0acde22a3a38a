#!/usr/bin/env bash
# Sizes of the static programs, against their ceilings; and that they run.
#
# usage: tests/packaging/static.sh FOLDER [REPORT]     REPORT: a file to which the sizes go as well
set -euo pipefail

folder=${1:?usage: static.sh FOLDER [REPORT]}
report=${2:-/dev/null}
failed=0
: >"$report"
held() { # PROGRAM CEILING_IN_MIB
    local octets ceiling=$(($2 * 1048576)) verdict=''
    octets=$(stat -c %s "$folder/$1")
    [ "$octets" -le $ceiling ] || { verdict=' TOO LARGE'; failed=1; }
    printf 'static %-20s %6.2f MiB, at most %d%s\n' "$1" "$(awk "BEGIN { print $octets / 1048576 }")" "$2" "$verdict" |
        tee -a "$report"
}
held mdserver 12
held example_smtp_server 3
for program in mdserver example_smtp_server; do
    if readelf -d "$folder/$program" | grep -q NEEDED; then
        echo "$program asks for a shared library"
        failed=1
    fi
done
"$folder/example_smtp_server" --check || { echo "example_smtp_server fails"; failed=1; }
"$folder/mdserver" version || { echo "mdserver does not start"; failed=1; }
exit $failed
