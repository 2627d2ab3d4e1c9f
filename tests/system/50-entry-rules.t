#!/bin/bash
# Rules of VM entry, broken one by one on a machine: each entry fails, Tally dumps its state, tools/explain at the end
# of the pipe names the rule and the field, and the guest runs on as if nothing had happened.
. "$(dirname "$0")/../lib/tap.sh"

# explained - the console's explanations, a line each: how the entry failed (VM-instruction error 7: controls, 8:
# host state; exit 33), the field, the rule
explained() {
    sed -n -E -e 's/^tally: error: VM entry failed: (VM-instruction error|exit reason) ([0-9]+).*/=\2/p' \
        -e 's/^explain: broken rule: (.*): ([A-Z0-9_]+) is [0-9a-f]+$/\2: \1/p' "$console" |
        while read -r line; do
            case $line in
                =*) how=${line#=} ;;
                *) echo "$how $line" ;;
            esac
        done
}

boot --cpu broadwell_ult --test-image --options 'exits=minimal test=entry-rules' --kernel "$B/guest.elf only=cpuid"
guest_tests 'after all the failures'
is "$status" 0 'verdict'
like '^tally: entry-rules: 99 broken$' '99 breakages, all of them of rules that Tally knows'
unlike 'no rule is broken|cut or torn' 'no failure is left unexplained'
like 'ENTRY_FAIL_GUEST_STATE +45 ' 'the failures with exit 33 are counted'

explained >"$scratch/explained"
while read -r line; do
    read -r got <&3 || got='nothing more'
    is "$got" "$line" "$line"
done 3<"$scratch/explained" <<'END'
7 PIN_BASED_CONTROLS: the bits that the capability MSR reports as fixed to 1 must be 1
7 PIN_BASED_CONTROLS: only bits that the capability MSR reports as allowed may be 1
7 PIN_BASED_CONTROLS: virtual NMIs need NMI exiting
7 PRIMARY_PROCBASED_CONTROLS: the bits that the capability MSR reports as fixed to 1 must be 1
7 PRIMARY_PROCBASED_CONTROLS: only bits that the capability MSR reports as allowed may be 1
7 PRIMARY_PROCBASED_CONTROLS: NMI-window exiting needs virtual NMIs
7 SECONDARY_PROCBASED_CONTROLS: unrestricted guest, PML, mode-based execution and sub-page permissions need EPT
7 SECONDARY_PROCBASED_CONTROLS: x2APIC, APIC-register virtualization and virtual interrupts need the TPR shadow
7 SECONDARY_PROCBASED_CONTROLS: only bits that the capability MSR reports as allowed may be 1
7 VM_EXIT_CONTROLS: the bits that the capability MSR reports as fixed to 1 must be 1
7 VM_EXIT_CONTROLS: only bits that the capability MSR reports as allowed may be 1
7 VM_EXIT_CONTROLS: saving the preemption timer needs the timer
7 VM_ENTRY_CONTROLS: the bits that the capability MSR reports as fixed to 1 must be 1
7 VM_ENTRY_CONTROLS: only bits that the capability MSR reports as allowed may be 1
33 VM_ENTRY_CONTROLS: outside SMM, entry to SMM and deactivation of the dual monitor must be 0
7 VM_ENTRY_CONTROLS: outside SMM, entry to SMM and deactivation of the dual monitor must be 0
7 CR3_TARGET_COUNT: there may be no more CR3-target values than IA32_VMX_MISC says
7 IO_BITMAP_A: the address must be 4-KByte aligned and within the physical width
7 IO_BITMAP_B: the address must be 4-KByte aligned and within the physical width
7 MSR_BITMAP: the address must be 4-KByte aligned and within the physical width
7 VIRTUAL_PROCESSOR_ID: the VPID must not be 0
7 EPT_POINTER: the EPT memory type must be 6 or 0, as IA32_VMX_EPT_VPID_CAP allows
7 EPT_POINTER: the EPT page-walk length must be one that the CPU supports
7 EPT_POINTER: bits 11:7 and those beyond the physical width must be 0
7 EPT_POINTER: bits 11:7 and those beyond the physical width must be 0
7 VM_ENTRY_MSR_LOAD_ADDR: the MSR area must be 16-byte aligned and within the physical width
7 VM_EXIT_MSR_LOAD_ADDR: the MSR area must be 16-byte aligned and within the physical width
7 VM_EXIT_MSR_STORE_ADDR: the MSR area must be 16-byte aligned and within the physical width
7 VM_ENTRY_INTERRUPTION_INFO: the type of an injected event must not be reserved
7 VM_ENTRY_INTERRUPTION_INFO: an injected NMI must have vector 2
7 VM_ENTRY_INTERRUPTION_INFO: an injected hardware exception must have a vector of at most 31
7 VM_ENTRY_INTERRUPTION_INFO: bits 30:12 of the interruption information must be 0
7 VM_ENTRY_INTERRUPTION_INFO: the vector has no error code
7 VM_ENTRY_INTERRUPTION_INFO: the vector must deliver an error code
7 VM_ENTRY_INTERRUPTION_INFO: only hardware exceptions deliver an error code
7 VM_ENTRY_EXCEPTION_ERROR_CODE: bits 31:16 of the error code must be 0
7 VM_ENTRY_INSTRUCTION_LENGTH: a software event needs an instruction length of 1 to 15, or 0 where the CPU allows it
8 HOST_CR0: CR0 must have the bits that VMX fixes
8 HOST_CR4: CR4 must have the bits that VMX fixes
8 HOST_CR4: a 64-bit host needs CR4.PAE
8 HOST_CR3: CR3 must be within the physical-address width
8 HOST_IA32_PAT: each byte of the PAT must be a memory type
8 HOST_IA32_EFER: reserved bits of EFER must be 0
8 HOST_IA32_EFER: EFER.LMA and EFER.LME must equal the host address-space size
8 VM_EXIT_CONTROLS: in IA-32e mode the host address-space size must be 1
8 HOST_IA32_EFER: EFER.LMA and EFER.LME must equal the host address-space size
8 HOST_CS_SELECTOR: CS must not be null
8 HOST_TR_SELECTOR: TR must not be null
8 HOST_SS_SELECTOR: the selector's RPL and TI must be 0
8 HOST_GS_SELECTOR: the selector's RPL and TI must be 0
8 HOST_FS_BASE: the address must be canonical
8 HOST_TR_BASE: the address must be canonical
8 HOST_GDTR_BASE: the address must be canonical
8 HOST_IDTR_BASE: the address must be canonical
8 HOST_IA32_SYSENTER_ESP: the address must be canonical
8 HOST_RIP: the address must be canonical
33 GUEST_CR0: CR0 must have the bits that VMX fixes
33 GUEST_CR4: CR4 must have the bits that VMX fixes
33 GUEST_CR4: CR4 must have the bits that VMX fixes
33 GUEST_CR3: CR3 must be within the physical-address width
33 GUEST_DR7: bits 63:32 of DR7 must be 0
33 GUEST_IA32_SYSENTER_ESP: the address must be canonical
33 GUEST_IA32_SYSENTER_EIP: the address must be canonical
33 GUEST_IA32_PAT: each byte of the PAT must be a memory type
33 GUEST_IA32_EFER: reserved bits of EFER must be 0
33 GUEST_IA32_EFER: EFER.LMA must equal the VM-entry control IA-32e mode guest
33 GUEST_IA32_EFER: EFER.LMA and EFER.LME must be equal while paging is on
33 GUEST_RFLAGS: bit 1 of RFLAGS must be 1 and its reserved bits 0
33 GUEST_RFLAGS: bit 1 of RFLAGS must be 1 and its reserved bits 0
33 GUEST_RFLAGS: an injected external interrupt needs RFLAGS.IF
33 VMCS_LINK_POINTER: without VMCS shadowing the link pointer must be all ones
33 GUEST_TR_ACCESS_RIGHTS: TR must be usable
33 GUEST_TR_ACCESS_RIGHTS: TR must be a busy TSS, in IA-32e mode of type 11
33 GUEST_TR_ACCESS_RIGHTS: S must be 0 in a system segment
33 GUEST_TR_ACCESS_RIGHTS: the segment must be present
33 GUEST_TR_SELECTOR: the selector's TI must be 0
33 GUEST_TR_BASE: the base must be canonical
33 GUEST_LDTR_ACCESS_RIGHTS: LDTR must be of type 2
33 GUEST_LDTR_SELECTOR: the selector's TI must be 0
33 GUEST_CS_ACCESS_RIGHTS: CS must be an accessed code segment, or type 3 in an unrestricted guest
33 GUEST_CS_ACCESS_RIGHTS: S must be 1 in a code or data segment
33 GUEST_CS_ACCESS_RIGHTS: the segment must be present
33 GUEST_CS_ACCESS_RIGHTS: reserved bits of the access rights must be 0
33 GUEST_CS_ACCESS_RIGHTS: a non-conforming CS must have the DPL of SS
33 GUEST_CS_BASE: bits 63:32 of the base must be 0
33 GUEST_CS_ACCESS_RIGHTS: G must be 0 unless bits 11:0 of the limit are all 1
33 GUEST_DS_ACCESS_RIGHTS: a data segment must be marked as accessed
33 GUEST_DS_ACCESS_RIGHTS: G must be 1 if any of bits 31:20 of the limit is 1
33 GUEST_ES_ACCESS_RIGHTS: a code segment used for data must be readable
33 GUEST_SS_ACCESS_RIGHTS: SS must be a writable, accessed data segment
33 GUEST_FS_BASE: the base must be canonical
33 GUEST_GDTR_BASE: the base must be canonical
33 GUEST_IDTR_LIMIT: bits 31:16 of the limit must be 0
33 GUEST_ACTIVITY_STATE: the CPU must support the activity state
33 GUEST_ACTIVITY_STATE: blocking by STI or MOV SS needs the activity state active
33 VM_ENTRY_INTERRUPTION_INFO: no event can be injected in the activity state wait-for-SIPI
33 GUEST_INTERRUPTIBILITY: bits 31:5 must be 0
33 GUEST_INTERRUPTIBILITY: blocking by STI needs RFLAGS.IF
33 GUEST_INTERRUPTIBILITY: blocking by SMI must be 0 outside SMM
33 GUEST_INTERRUPTIBILITY: an NMI cannot be injected under blocking by MOV SS
33 GUEST_PENDING_DEBUG_EXCEPTIONS: reserved bits must be 0
END

# A CPU that has other controls, and delivers exceptions with or without an error code as it is told.
boot --cpu tigerlake --test-image --options 'exits=minimal test=entry-rules' --kernel "$B/guest.elf only=cpuid"
guest_tests 'tigerlake, after all the failures'
is "$status" 0 'tigerlake: verdict'
like '^tally: entry-rules: 96 broken$' 'tigerlake: 96 breakages'
unlike 'no rule is broken|cut or torn' 'tigerlake: no failure is left unexplained'
unlike 'deliver an error code|has no error code' 'tigerlake: no rule that the CPU does not have'

# For good: without the aid's repair Tally ends the run, after a dump.
boot --cpu broadwell_ult --test-image --options 'exits=minimal test=entry-msr-load' --kernel "$B/guest.elf only=cpuid"
is "$status" 2 'an MSR that cannot be loaded: the status'
like '^tally: error: VM entry failed: exit reason 34 .*, qualification 1$' 'the entry is named'
like '^explain: broken rule: the bases of FS and GS cannot be loaded from a list: MSR c0000100 is 0$' 'the rule'
boot --cpu broadwell_ult --test-image --options 'exits=minimal test=entry-guest-state' --kernel "$B/guest.elf only=cpuid"
is "$status" 2 'a guest state that cannot be entered: the status'
like '^explain: broken rule: bit 1 of RFLAGS must be 1 .*: GUEST_RFLAGS is 0$' 'the rule'
like '^explain: GUEST_RIP +[0-9a-f]{16}$' 'and the whole VMCS'

done_testing
