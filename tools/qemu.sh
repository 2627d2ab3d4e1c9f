# shellcheck shell=bash disable=SC2034
# What every platform that runs QEMU shares; sourced, never run.

# qemu_command ACCELERATOR MODEL CONSOLE - put the command into $qemu: the machine that the RUN_ variables ask
# for, its first serial port on the character device CONSOLE. The device isa-debug-exit makes QEMU's exit status
# of the value that is written to port 0xF4.
qemu_command() {
    local boot=() items modules
    [ -z "$RUN_ISO" ] || boot+=(-cdrom "$RUN_ISO" -boot d)
    [ -z "$RUN_DISK" ] || boot+=(-drive "file=${RUN_DISK//,/,,},format=raw,snapshot=on")
    [ "$RUN_FIRMWARE" != uefi ] || boot+=(-bios /usr/share/ovmf/OVMF.fd)
    if [ -n "$RUN_DIRECT" ]; then
        mapfile -t items <"$RUN_DIR/boot"
        boot=(-kernel "${items[0]%% *}")
        [[ ${items[0]} != *' '* ]] || boot+=(-append "${items[0]#* }")
        modules=("${items[@]:1}")
        modules=("${modules[@]//,/,,}")         # a comma separates modules
        [ ${#modules[@]} = 0 ] || boot+=(-initrd "$(IFS=,; echo "${modules[*]}")")
    fi
    # shellcheck disable=SC2206  # RUN_QEMU is a list of words
    qemu=(qemu-system-x86_64 -accel "$1" -cpu "$2" -smp "$RUN_CPUS" -m "$RUN_MEM"
        -nodefaults -vga std -display none -no-reboot -chardev "$3" -serial chardev:console
        -device "isa-debug-exit,iobase=0xf4,iosize=0x04" "${boot[@]}" $RUN_QEMU)
}

# qemu_end STATUS - end as a platform should when QEMU ended with STATUS
qemu_end() {
    case $1 in
        124 | 137) exit 124 ;;
        0)                                      # powered off or reset without a value
            : >"$RUN_DIR/value"
            # With KVM a triple fault is a reset, too: its log does not tell.
            [ -z "$RUN_BARE" ] || grep -qs 'Triple fault' "$RUN_DIR/qemu.log" ||
                bare_value "$(cat "$RUN_DIR/asleep" 2>/dev/null || echo 'reset or power-off')"
            ;;
        1) fail "QEMU could not run the machine" ;;
        *) printf '%x\n' $(($1 >> 1)) >"$RUN_DIR/value" ;;
    esac
}
