# shellcheck shell=bash disable=SC2034,SC2154  # sourced by tools/run --debug, whose variables these are
# The machine stands still before its first instruction, in the hands of its platform's debugger, with the symbols of
# Tally (in Bochs `tally.NAME`) and of the guest: SYMBOLS=, else the kernel's own.
symbols=${SYMBOLS:-}
if [ -z "$symbols" ]; then
    case ${kernel%% *} in
        "$B/guest.elf") symbols=$B/guest.debug ;;
        "$B"/linux*/vmlinuz) symbols=$("$top/tools/kallsyms" "$LINUX_IMAGE") || exit 2 ;;
        ?*) symbols=${kernel%% *} ;;
    esac
else
    need_file "$symbols"
fi

# bochs_symbols FILE [PREFIX] - lines `address name`: of an ELF file, or of a System.map or the like
bochs_symbols() {
    if [ "$(head -c 4 "$1" | tr -d '\0')" = $'\177ELF' ]; then
        nm "$1" 2>/dev/null || true
    elif [ "$1" != "${kernel%% *}" ]; then
        cat "$1"
    fi | awk -v prefix="${2:-}" 'NF == 2 || $2 ~ /^[tTwWdDbBrR]$/ { print $1, prefix $NF }'
}

RUN_TIMEOUT=0 RUN_INTERACTIVE=''
case $platform in
    bochs)
        {
            [ -n "$native" ] || bochs_symbols "${image%.elf}.debug" tally.
            [ -z "$symbols" ] || bochs_symbols "$symbols"
        } >"$RUN_DIR/symbols"
        RUN_DEBUGGER="ldsym global \"symbols\""$'\n'$RUN_DEBUGGER
        RUN_DEBUG=$(realpath "${log:-$RUN_DIR/console.log}")
        [ ! -e "$RUN_DEBUG" ] || mv -f "$RUN_DEBUG" "$RUN_DEBUG.1"
        : >"$RUN_DEBUG" || exit 2
        say "symbols: tally.NAME, and of the guest ${symbols:-none}; the console goes to $RUN_DEBUG; docs/debug.md"
        "$script"
        exit
        ;;
    qemu)
        RUN_QEMU+=" -S -gdb unix:${RUN_DIR// /\\ }/gdb,server=on,wait=off"
        {
            [ -n "$native" ] || echo "file ${image%.elf}.debug"
            [ "$(head -c 4 "${symbols:-/dev/null}" | tr -d '\0')" != $'\177ELF' ] || echo "add-symbol-file $symbols"
            echo "target remote $RUN_DIR/gdb"
        } >"$B/debug.gdb"
        say "the machine waits; in another terminal: gdb -x $B/debug.gdb, then hbreak main, continue; docs/debug.md"
        ;;
    *) fail "there is no debugger on platform $platform; PLATFORM=bochs or qemu" ;;
esac
