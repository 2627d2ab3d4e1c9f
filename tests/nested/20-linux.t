#!/bin/bash
# Debian's Linux as Tally's guest in QEMU with KVM: it boots, reads the leaves and powers off.
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
cd "$top" || exit 1
rel=$(realpath --relative-to=. "$B")
export NESTED_BUILD=$rel/nested
need tools/linux-image
need tests/nested/build

qemu='qemu-system-x86_64 -accel kvm -cpu host -m 256 -nodefaults -display none -serial stdio -no-reboot'
qemu+=' -device isa-debug-exit,iobase=0xf4,iosize=0x04'
words='console=ttyS0 nokaslr mitigations=off panic=-1 tsc_early_khz=100000 tsc=reliable quiet loglevel=4'
words+=' apparmor=0 audit=0 8250.nr_uarts=1 i8042.noaux no_timer_check cryptomgr.notests'
words+=' tally.run=leaves,,poweroff' # QEMU's way to write a comma that does not separate modules
# Two CPUs (with NESTED=long) need profile all: Linux' second CPU waits with IF=0, and in Bochs the L0 gets the
# CPU back only by the exits of its PAUSE (docs/nested.md).
[ "${NESTED:-}" = long ] && most=2 || most=1
while read -r cpus profile; do
    [ "$cpus" -gt "$most" ] || echo "linux-$cpus|$qemu -smp $cpus -kernel $rel/tally.elf -append 'exits=$profile stats=table,json'" \
        "-initrd '$rel/linux/vmlinuz $words,$rel/linux/initrd'"
done >"$scratch/jobs" <<'END'
1 kvm
2 all
END

tests/nested/run -t 900 -o "$scratch/results" "$scratch/jobs" 2>"$errors"
ok $? 'the L0 ran all jobs' || note "$(tail -n 20 "$errors")"
note "$(grep 'guest ended' "$errors")"
for ((cpus = 1; cpus <= most; cpus++)); do
    tr -d '\r' <"$scratch/results/linux-$cpus.out" >"$console" 2>/dev/null || : >"$console"
    is "$(cat "$scratch/results/linux-$cpus.status" 2>/dev/null)" $((0x10 << 1 | 1)) "Linux, $cpus CPUs: power-off"
    like "^guest: leaves ended with status 0" "Linux, $cpus CPUs: the leaves can be read"
    like "^tally: exits [1-9].*vcpus $cpus" "Linux, $cpus CPUs: the table is printed"
    like '^\{"tally":"end","exits":[1-9]' "Linux, $cpus CPUs: the JSON report is whole"
    unlike 'WARNING:|BUG:|Oops|Call Trace' "Linux, $cpus CPUs: nothing to complain about"
done

done_testing
