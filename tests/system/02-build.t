#!/bin/bash
# Both compilers build Tally and its guest without a word, and what comes out is what a boot loader wants.
. "$(dirname "$0")/../lib/tap.sh"

for compiler in gcc clang; do
    if ! command -v "$compiler" >/dev/null; then
        skip "$compiler is not installed" "$compiler builds"
        continue
    fi
    make -s -C "$top" B="$scratch/$compiler" CC="$compiler" CROSS_COMPILE= tally guest >"$console" 2>&1
    ok $? "$compiler builds Tally and its guest" || note "$(tail "$console")"
    is "$(cat "$console")" '' "$compiler says nothing"
done

# As a package that was unpacked there may have; make takes the files of this name alone.
mkdir "$scratch/gcc/init.d"
make -s -C "$top" B="$scratch/gcc" CC=gcc CROSS_COMPILE= tally >"$console" 2>&1
ok $? "a directory NAME.d in the build directory does no harm" || note "$(tail "$console")"

rm -f "$scratch/gcc/tally.debug"
make -s -C "$top" B="$scratch/gcc" CC=gcc CROSS_COMPILE= TARGET_LD='ld --print-gc-sections' tally >"$console" 2>&1
# gcc has moves for all copies, clang calls functions for some.
is "$(sed -n "s/.*unused section '.text.\([a-z].*\)' in file.*/\1/p" "$console" | grep -vxE 'memcpy|memset')" '' 'no function of Tally is unused'

# header FILE MAGIC - a multiboot header stands in the first 8 KiB, aligned
header() { od -An -v -tx4 -w4 -N 8192 "$1" | grep -qx " $2"; }

header "$scratch/gcc/tally.elf" 1badb002; ok $? 'tally.elf: multiboot 1 header'
header "$scratch/gcc/tally.elf" e85250d6; ok $? 'tally.elf: multiboot 2 header'
header "$scratch/gcc/guest.elf" 1badb002; ok $? 'guest.elf: multiboot 1 header'

make -s -C "$top" help >"$console"
like '^  run  ' 'make help lists the targets'
like '^  OPTIONS  ' 'make help lists the variables'

make -s -C "$top" help PLATFROM=bochs >"$console" 2>&1
is $? 2 'an unknown variable is refused'
like "unknown variable PLATFROM; 'make help'" 'and named'

make -s -C "$top" help platform=bochs >"$console" 2>&1
like "unknown variable platform; 'make help'" 'so is one in small letters'

version() { make -s -C "$top" --eval='version: ; @echo "$(VERSION)"' version 2>&1; }
is "$(GIT_TEST_ASSUME_DIFFERENT_OWNER=1 version)" "$(version)" "a clone of another user's, as in a container, has its version"

# refused REGEX NAME ARGUMENT... - make ends with 2 and a line that matches
refused() {
    make -s -C "$top" "${@:3}" >"$console" 2>&1
    is $? 2 "$2: refused"
    like "$1" "$2: named"
}
refused 'spaces in a path: B=a place' 'spaces' tally B='a place'
refused 'B=. has the sources in it' 'the sources as build directory' -n clean B=.
mkdir "$scratch/mine"
refused 'mine is no build directory; nothing removed' 'make clean elsewhere' clean B="$scratch/mine"
[ -d "$scratch/mine" ]; ok $? 'and it is still there'
make -s -j4 -C "$top" B="$scratch/again" CC=gcc CROSS_COMPILE= clean tally guest >"$console" 2>&1 &&
    make -s -j4 -C "$top" B="$scratch/again" CC=gcc CROSS_COMPILE= clean tally guest >"$console" 2>&1
ok $? 'make -j4 clean and a build at once' || note "$(tail "$console")"
refused 'CC=tcc: Tally is built by gcc or clang' 'another compiler' tally CC=tcc

touch "$scratch/a-file"
refused '^make: cannot write to .*a-file; build elsewhere' 'no room to build' tally B="$scratch/a-file"
refused '^make: no console is kept yet: make run' 'a report of nothing' report B="$scratch/none"

# A host that is not x86 takes a cross compiler by itself; any host takes the one it is told.
mkdir "$scratch/arm"
printf '#!/bin/sh\necho aarch64\n' >"$scratch/arm/uname"
chmod +x "$scratch/arm/uname"
PATH=$scratch/arm:$PATH make -n -C "$top" B="$scratch/arm/build" CC=gcc tally >"$console" 2>&1
like '^x86_64-linux-gnu-gcc .*hv/main.c' 'on ARM: the cross compiler'
like '^x86_64-linux-gnu-ld ' 'on ARM: the cross linker'
make -n -C "$top" B="$scratch/elf" CC=gcc CROSS_COMPILE=x86_64-elf- tally >"$console" 2>&1
like '^x86_64-elf-gcc .*hv/main.c' 'CROSS_COMPILE: the compiler'
like '^x86_64-elf-ld ' 'CROSS_COMPILE: the linker'
make -s -C "$top" B="$scratch/cross" CC=gcc CROSS_COMPILE=x86_64-linux-gnu- guest >"$console" 2>&1
ok $? 'x86_64-linux-gnu- builds'

# A change of compiler or flags reaches every object; nothing else is built twice.
make -s -C "$top" B="$scratch/gcc" CC=gcc CROSS_COMPILE= tally guest
make V=1 -C "$top" B="$scratch/gcc" CC=gcc CROSS_COMPILE= tally guest >"$console" 2>&1
unlike '^(gcc|nasm|ld) ' 'a second make builds nothing'
make V=1 -C "$top" B="$scratch/gcc" CC=gcc CROSS_COMPILE= FOR_SIZE=-O1 "$scratch/gcc/hv/main.o" >"$console" 2>&1
like '^gcc .* -O1 .*hv/main.c' 'other flags build again'
make -C "$top" B="$scratch/gcc" CC=gcc CROSS_COMPILE= "$scratch/gcc/hv/main.o" >"$console" 2>&1
like '^  CC  *hv/main.o$' 'and say so in a short line'

make -C "$top" B="$scratch/none" NASM=no-such-nasm "$scratch/none/flags" >"$console" 2>&1
isnt $? 0 'without a tool it refuses'
like "^make: no-such-nasm is missing; 'make deps' installs it" 'and names it'

done_testing
