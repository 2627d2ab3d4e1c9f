#!/bin/bash
# tools/linux-image with packages as Debian and Ubuntu make them: with /usr merged or not, modules packed or not, and in
# a package of their own or not. The packages are made here; apt-get and apt-cache are stand-ins.
. "$(dirname "$0")/../lib/tap.sh"

for tool in dpkg-deb musl-gcc cpio zstd xz as; do
    command -v $tool >/dev/null || skip_all "$tool is missing; make deps installs it"
done
export B=$scratch/build SUITE_PACKAGES=$scratch/debs
tree=$scratch/tree
mkdir -p "$scratch/bin" "$SUITE_PACKAGES"
PATH=$scratch/bin:$PATH

# script FILE LINE... - make a script
script() {
    mkdir -p "${1%/*}"
    printf '%s\n' '#!/bin/bash' "${@:2}" >"$1"
    chmod +x "$1"
}

# text FILE - make a file with its own name in it
text() { mkdir -p "${1%/*}" && echo "${1##*/}" >"$1"; }

# module FILE - make a kernel module that needs no other
module() { mkdir -p "${1%/*}" && printf '.section .modinfo, "a"\n.asciz "depends="\n' | as -o "$1"; }

# package NAME - put what is in $tree into a package of this name, into the cache
package() {
    mkdir -p "$tree/DEBIAN"
    printf '%s: %s\n' Package "$1" Version 1 Architecture amd64 Maintainer none Description none >"$tree/DEBIAN/control"
    dpkg-deb -b "$tree" "$SUITE_PACKAGES/$1_1_amd64.deb" >/dev/null
    rm -rf "$tree"
}

# common USR - the packages that the image takes besides the kernel, with the files of /bin and /lib below USR
common() {
    script "$tree$1/bin/busybox" 'echo ls'
    package busybox-static
    text "$tree$1/lib/x86_64-linux-gnu/libc.so.6"
    text "$tree$1/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"
    package libc6
    text "$tree/usr/bin/cpuid"
    package cpuid
}

# image NAME FLAVOUR - the image of the flavour is made, with the kernel and the module
image() {
    "$top/tools/linux-image" "$2" >"$console" 2>&1
    is $? 0 "$1: the image is made" || note "$(cat "$console")"
    like "^linux-image: $kernel, " "$1: of the kernel that apt knows"
    zstd -dqc "$B/$3/initrd" | cpio -t --quiet >"$console"
    for file in bin/busybox lib/x86_64-linux-gnu/libc.so.6 lib/modules/ne2k_pci.ko usr/bin/tally; do
        like "^$file$" "$1: $file"
    done
    rm -rf "$B" "${SUITE_PACKAGES:?}"/*
}

script "$scratch/bin/apt-get" 'echo "E: not here" >&2' 'exit 100'
script "$scratch/bin/apt-cache" \
    'case $2 in linux-image-cloud-amd64) echo "  Depends: linux-image-6.1.0-9-cloud-amd64" ;; *) exit 100 ;; esac'
kernel=linux-image-6.1.0-9-cloud-amd64
text "$tree/boot/vmlinuz-6.1.0"
module "$tree/lib/modules/6.1.0/kernel/ne2k-pci.ko"
package $kernel
common ''
image 'Debian 12' cloud linux

script "$scratch/bin/apt-cache" \
    'case $2 in linux-image-amd64) echo "  Depends: linux-image-6.12.9-amd64" ;; *) exit 100 ;; esac'
kernel=linux-image-6.12.9-amd64
text "$tree/boot/vmlinuz-6.12.9"
module "$tree/usr/lib/modules/6.12.9/kernel/ne2k-pci.ko"
xz "$tree/usr/lib/modules/6.12.9/kernel/ne2k-pci.ko"
package $kernel
common /usr
image 'Debian 13' plain linux-plain

script "$scratch/bin/apt-cache" 'case $2 in' \
    'linux-image-virtual) echo "  Depends: linux-image-6.8.0-9-generic" ;;' \
    'linux-image-6.8.0-9-generic) echo "  Depends: kmod"; echo "  Depends: linux-modules-6.8.0-9-generic" ;;' \
    '*) exit 100 ;; esac'
kernel=linux-image-6.8.0-9-generic
text "$tree/boot/vmlinuz-6.8.0"
package $kernel
module "$tree/lib/modules/6.8.0/kernel/ne2k-pci.ko"
zstd -q --rm "$tree/lib/modules/6.8.0/kernel/ne2k-pci.ko"
package linux-modules-6.8.0-9-generic
common /usr
image Ubuntu cloud linux

"$top/tools/linux-image" >"$console" 2>&1
is $? 77 'packages that cannot be had: absent'
like '^linux-image: apt-get download linux-image-6.8.0-9-generic failed; .*E: not here' 'the package and why'
script "$scratch/bin/apt-cache" 'exit 100'
"$top/tools/linux-image" >"$console" 2>&1
is $? 77 'a kernel that apt does not know: absent'
like '^linux-image: apt knows none of: linux-image-cloud-amd64 linux-image-virtual linux-image-generic; ' 'the names'

done_testing
