# What a detail is worth to a person. CPUID leaves that have no subleaves do not look at RCX: what was in it makes no other site.

BEGIN {
    NUMBERED = "^(CPUID|RDMSR|WRMSR|RDMSRLIST|WRMSRLIST|APIC_ACCESS|APIC_WRITE|VMCALL|MWAIT|UMWAIT|TPAUSE|INVPCID|INVVPID|INVEPT)$"
    SUBLEAVES = " 0x4 0x7 0xb 0xd 0xf 0x10 0x12 0x14 0x17 0x18 0x1b 0x1d 0x1e 0x1f 0x20 0x23 0x24 0x8000001d 0x80000020 0x80000026" \
        " 0x4ffffffd 0x4ffffffc 0x4fffff01 0x4fffff02 0x4fffff03 "
}

# The detail of a site or record, for a person.
function plain_detail(reason, detail,    leaf) {
    if (reason != 10 && reason != "CPUID") return detail
    leaf = detail
    sub(/\/.*/, "", leaf)
    return index(SUBLEAVES, " " leaf " ") ? detail : leaf
}

# Most reasons have nothing to tell beside the instruction; 0x0 is then no detail. The page's isDetail() is the same.
function is_detail(reason, detail) { return detail != "0x0" || reason ~ NUMBERED }
