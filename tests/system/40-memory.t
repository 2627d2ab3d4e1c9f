#!/bin/bash
# The guest's memory on machines of several sizes, filled and checked to the last page; and on one that is
# too small for Tally.
. "$(dirname "$0")/../lib/tap.sh"

families=bios_memory,hidden_memory,ram_dma

# memory SIZE WORDS ARGUMENT... - the guest's tests of memory pass on a machine of SIZE megabytes
memory() {
    boot --mem "$1" --kernel "$B/guest.elf only=$2" "${@:3}"
    guest_tests "$1 MB"
    is "$status" 0 "$1 MB: verdict"
}

memory 64 "$families,ram full-ram" --options exits=minimal
like "^tally: the guest's CPU 0 tried to write Tally's memory at [0-9a-f]+, RIP [0-9a-f]+" 'an attempt is named'
is "$(grep -c "tried to .* Tally's memory" "$console")" 8 'but not each of very many'
like "^tally: the guest's attempts on Tally's memory: 11$" 'the report counts them all'

memory 32 "$families,ram" --options exits=all
memory 512 "$families,ram" --options exits=minimal
if why=$(tools/bochs-rom 2 2>&1 >/dev/null); then
    memory 2048 "$families,ram" --options exits=kvm --cpus 2
else
    skip "${why##*$'\n'}" '2048 MB, 2 CPUs'
fi
memory 128 "$families" --options 'exits=kvm split=yes'
read -r from end < <(sed -n 's/.*reserved behind RAM: \([0-9a-f]*\) to \([0-9a-f]*\)$/\1 \2/p' "$console") || true
is "$(((16#${end:-0} - 16#${from:-0}) / 2**20 >= 8))" 1 \
    'split=yes: 2 MiB of tables for each of the 4 GiB' # otherwise all of Tally is 2 MiB
memory 5120 "$families" --options exits=minimal     # above 4 GiB, too; Bochs is slow at filling so much

boot --mem 4
is "$status" 2 'too small a machine: status'
like '^tally: error: too little memory: Tally needs [0-9]+ KiB in one piece below 4 GiB' \
    'too small a machine: a clear line'

done_testing
