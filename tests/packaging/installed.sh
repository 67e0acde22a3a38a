#!/usr/bin/env bash
# Installs a build into a temporary prefix, moves that elsewhere, and uses it as a stranger would.
#
# usage: tests/packaging/installed.sh BUILD
#
# The program is examples/smtp_server.cpp, which sends itself a message and checks that it came.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=${here%/tests/packaging}
build=${1:?usage: installed.sh BUILD}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0
check() { # NAME COMMAND...
    local name=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED: %s: %s\n' "$name" "$*"
        tail -n 30 "$work/log"
    fi
}

for component in runtime c_runtime development; do
    check "installing the $component files" cmake --install "$build" --prefix "$work/first" --component $component
done
prefix=$work/'moved elsewhere'
mv "$work/first" "$prefix"
library=$(dirname "$(find "$prefix" -name libmailcore.a)")
shared=$library/libmailcore.so
includes=$(find "$prefix" -type d -path '*/include')

# ---- what is there ----------------------------------------------------------------------------------------------------

version=$(sed -n 's/^Version: //p' "$library/pkgconfig/mailcore.pc")
check 'the soname carries major and minor version' \
    bash -c "objdump -p '$shared' | grep -q 'SONAME *libmailcore.so.${version%.*}\$'"
check 'no symbol of mbedTLS leaves the shared library' \
    bash -c "! nm -D --defined-only '$shared' | grep -E ' (mbedtls|psa)_'"
check 'nothing installed knows where it was built or first installed' \
    bash -c "! grep -rlF -e '$work/first' -e '$build' -e '$root' --include='*.cmake' --include='*.pc' '$prefix'"

# A header with a source file beside it is that file's first include: the build has shown that it stands alone.
alone() {
    (cd "$includes" && find libmailcore -name '*.h') | while read -r header; do
        [ -e "$root/${header%.h}.cpp" ] || printf '%s\0' "$includes/$header"
    done | xargs -0 -n 8 -P 2 bash -c 'for header; do
        echo "#include \"$header\"" | ${CXX:-c++} -std=c++23 -fsyntax-only -I"$0" -x c++ - || exit 255; done' "$includes"
}
check 'each header stands alone' alone
all_headers() {
    (cd "$includes" && find libmailcore -name '*.h' | sort -r | sed 's/.*/#include "&"/') |
        ${CXX:-c++} -std=c++23 -fsyntax-only -I"$includes" -x c++ -
}
check 'all headers together' all_headers

# ---- programs ---------------------------------------------------------------------------------------------------------

project=$work/project
mkdir "$project"
cp "$here"/consumer/* "$root"/examples/{smtp_server.cpp,talk.h} "$project"
check 'find_package configures' cmake -S "$project" -B "$project/build" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_BUILD_TYPE=Debug
check 'find_package builds' cmake --build "$project/build" -j 2
for kind in mailcore shared static; do
    check "the program with mailcore::$kind runs" "$project/build/program_$kind"
done
check 'the static program asks for no libmailcore.so' \
    bash -c "! objdump -p '$project/build/program_static' | grep 'NEEDED *libmailcore'"

export PKG_CONFIG_PATH=$library/pkgconfig LD_LIBRARY_PATH=$library
check 'pkg-config builds' make -C "$project" program
check 'the program runs' "$project/program"
if [ -e "$includes/mailcore.h" ]; then
    printf '#include <mailcore.h>\n#include <stdio.h>\nint main(void) { puts(mailcore_version()); return 0; }\n' >"$project/c.c"
    check 'a C program builds' bash -c "cd '$project' && eval ${CC:-cc} -std=c11 -Wall -Werror c.c -o c \$(pkg-config --cflags --libs mailcore-c)"
    check 'and runs' bash -c "'$project/c' | grep -x '$version'"
fi
rm "$library"/libmailcore.so*
check 'pkg-config --static builds with the archive alone' make -C "$project" program_static
check 'the program runs without a shared library' env -u LD_LIBRARY_PATH "$project/program_static"

printf '%d passed, %d failed, 0 skipped\n' $passed $failed
[ $failed = 0 ]
