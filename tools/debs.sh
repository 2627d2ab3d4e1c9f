# shellcheck shell=bash
# Packages of Debian and Ubuntu that are fetched and unpacked, never installed; sourced by what boots a Linux.

debs=${SUITE_PACKAGES:-$B/debs} # cache of .deb files, which all share

# lock_debs - of two at a time the second waits here, and finds all made
lock_debs() {
    mkdir -p "$debs"
    exec 9>"$debs/lock"
    flock 9
}

# find_kernel META... - $kernel: the package that the first META which apt knows depends on;
# $kernel_packages: that one and, where its modules are packed apart, theirs
find_kernel() {
    local meta
    for meta in "$@"; do
        kernel=$(depends "$meta" linux-image-)
        [ -n "$kernel" ] || continue
        read -ra kernel_packages <<<"$kernel $(depends "$kernel" linux-modules-)"
        return
    done
    absent "apt knows none of: $*; apt-get update may help"
}

# depends PACKAGE PREFIX - the package of a version, PREFIX and a digit, that PACKAGE depends on
depends() { apt-cache depends "$1" 2>/dev/null | sed -n "s/^ *Depends: \($2[0-9]\)/\1/p" | head -n 1; }

# unpack_package NAME TREE - unpack package NAME, fetched once, into the folder TREE/NAME
unpack_package() {
    local deb why
    deb=$(find "$debs" -maxdepth 1 -name "$1_*.deb" | sort | tail -1)
    if [ -z "$deb" ]; then
        # What a break-off leaves half done is never taken for the whole.
        rm -rf "$debs/new"
        mkdir "$debs/new"
        why=$(cd "$debs/new" && apt-get download -q "$1" 2>&1 >/dev/null && mv ./*.deb ..) ||
            absent "apt-get download $1 failed; apt-get update may help: $why"
        deb=$(find "$debs" -maxdepth 1 -name "$1_*.deb" | sort | tail -1)
    fi
    rm -rf "${2:?}/$1"
    mkdir -p "$2/$1"
    dpkg-deb -x "$deb" "$2/$1"
}

# packaged TREE FILE - where FILE is in an unpacked package: below /usr, since Debian 13 and Ubuntu 24.04, or not
packaged() {
    local file
    for file in "$1/usr/$2" "$1/$2"; do
        [ ! -e "$file" ] || { echo "$file"; return; }
    done
    fail "${1##*/} has no file $2"
}

# unpack_module NAME TREE FILE - write the kernel's module NAME, wherever it is in TREE, into FILE; status 1
# where it is built in, or the kernel has it not
unpack_module() {
    local packed unpack=cat
    packed=$(find "$2" -name "${1//[-_]/[-_]}.ko*" -print -quit)
    case $packed in
        '') return 1 ;;
        *.xz) unpack='xz -dc' ;;
        *.zst) unpack='zstd -dqc' ;;
    esac
    $unpack "$packed" >"$3"
}
