#!/bin/bash
# Several CPUs: the guest's tests of them bare and in each profile, with what each CPU has counted by
# itself held against the report; and the ends of a run that need more than one CPU.
. "$(dirname "$0")/../lib/tap.sh"
need tools/bochs-rom 4

# counted - each line '# made: vcpu 1 reason 10 count 4236' or '# made: all reason ...' of the guest's is
# a line of the JSON report's
counted() {
    local who vcpu reason count wrong=0 lines=0
    while read -r who vcpu reason count; do
        lines=$((lines + 1))
        [ "$who" = all ] && vcpu='' || vcpu="\"vcpu\":$vcpu,"
        grep -q "^{$vcpu\"reason\":$reason,.*\"count\":$count," "$console" || wrong=$((wrong + 1))
    done < <(sed -n 's/^# made: vcpu \(.*\) reason \(.*\) count \(.*\)/vcpu \1 \2 \3/p
                     s/^# made: all reason \(.*\) count \(.*\)/all - \1 \2/p' "$console")
    [ "$lines" -gt 0 ] && [ "$wrong" = 0 ]
}

for cpus in 2 4; do
    boot_defaults=(--cpus "$cpus")
    boot --native --kernel "$B/guest.elf only=smp"
    guest_tests "$cpus CPUs, bare"
    for profile in minimal kvm all; do
        name="$cpus CPUs, $profile"
        boot --options "exits=$profile stats=json,percpu" --kernel "$B/guest.elf only=smp"
        guest_tests "$name"
        is "$status" 0 "$name: verdict"
        counted
        ok $? "$name: the report has each CPU's exits to the last"
    done
done

boot_defaults=(--cpus 4)
boot --options exits=all --kernel "$B/guest.elf only=smp_x2apic"
guest_tests x2APIC
is "$status" 0 'x2APIC: verdict'

# What might end or hang Tally; most of it takes a second CPU.
boot_defaults=(--cpus 2 --options 'exits=all stats=none')
for attack in attacks smp_gs_base smp_nmi_after_init smp_apic_off; do
    boot --kernel "$B/guest.elf only=$attack"
    guest_tests "$attack"
    is "$status" 0 "$attack: verdict"
done

boot_defaults=(--cpus 2 --options 'exits=kvm stats=table,percpu')
boot --kernel "$B/guest.elf only=smp_reset"
is "$status" 0 'a CPU resets the machine while others make exits: verdict'
like '^tally: the guest asked for: reset' 'the way is told'
like '^tally: vcpu 1  exits [1-9]' 'the report is printed'
boot --kernel "$B/guest.elf only=smp_halt"
is "$status" 0 'all CPUs halt: verdict'
like '^tally: every CPU of the guest is halted for good' 'the reason is told'
# Without ACPI the CPUs are in the MP table.
boot --bochs 'pci: enabled=1, chipset=i440fx, advopts=noacpi' --kernel "$B/guest.elf only=smp_init"
like '^tally: exits .* vcpus 2$' 'the MP table lists the CPUs'
is "$status" 0 'INIT to the boot CPU: verdict'
like '^tally: the guest reset itself by INIT' 'the reason is told'

# What Tally says of a failed entry is in one piece, whatever the other CPU prints at that time.
boot --test-image --options 'exits=minimal test=entry-fail-late' --kernel "$B/guest.elf only=smp_vmcall"
is "$status" 2 'an entry fails while another CPU prints: verdict'
like '^# CPU 1, line 0' 'the other CPU does print'
like '^explain: broken rule: bit 1 of RFLAGS must be 1 .*: GUEST_RFLAGS is 0$' 'the rule'
like '^explain: HOST_RIP  *[0-9a-f]{16}$' 'the dump, to its end'
is "$(sed '1,/^tally: error: VM entry failed/d; /^tally: /d; /^explain: /d' "$console")" '' 'nothing of the guest in the dump'

boot --test-image --options test=odd-cpu
is "$status" 2 'a CPU that differs from the first: verdict'
like '^tally: error: CPU 1 \(APIC id 1\): its VMX capabilities are not those of the boot CPU; the guest could start it without Tally$' \
    'the CPU and the reason are named'

boot --test-image --options test=stack-overflow
is "$status" 2 "another CPU's stack overflows: verdict"
like '^tally: the stack of CPU 1 overflowed' 'the CPU is named'
boot --cpus 1 --test-image --options test=stack-overflow
like '^tally: the stack of CPU 0 overflowed' 'so is the boot CPU'

boot --options 'exits=kvm cpus=1 stats=table' --kernel "$B/guest.elf only=smp"
guest_tests 'cpus=1'
like '^tally: exits .* vcpus 1$' 'cpus=1 leaves the other CPU alone'

done_testing
