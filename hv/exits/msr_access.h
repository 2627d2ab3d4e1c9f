/* What the rows of the table in msr_rules.c do with an access. False: #GP(0). */
#ifndef TALLY_EXITS_MSR_ACCESS_H
#define TALLY_EXITS_MSR_ACCESS_H

#include "vcpu.h"

bool read_hardware(u32 msr, u64 *value);
bool write_hardware(struct vcpu *vcpu, u32 msr, u64 value);
bool read_fault(u32 msr, u64 *value);
bool write_fault(struct vcpu *vcpu, u32 msr, u64 value);
bool write_ignored(struct vcpu *vcpu, u32 msr, u64 value);
bool read_feature_control(u32 msr, u64 *value);
bool read_vmcs(u32 msr, u64 *value);
bool read_if_there(u32 msr, u64 *value);
bool write_vmcs_32(struct vcpu *vcpu, u32 msr, u64 value);
bool write_canonical(struct vcpu *vcpu, u32 msr, u64 value);
bool write_pat(struct vcpu *vcpu, u32 msr, u64 value);
bool write_debugctl(struct vcpu *vcpu, u32 msr, u64 value);
bool write_efer(struct vcpu *vcpu, u32 msr, u64 value);
bool write_features(struct vcpu *vcpu, u32 msr, u64 value);
bool write_apic_base(struct vcpu *vcpu, u32 msr, u64 value);
bool write_tsc(struct vcpu *vcpu, u32 msr, u64 value);
bool write_mtrr(struct vcpu *vcpu, u32 msr, u64 value);
bool read_misc_enable(u32 msr, u64 *value);
bool write_misc_enable(struct vcpu *vcpu, u32 msr, u64 value);
bool write_test_ctrl(struct vcpu *vcpu, u32 msr, u64 value);
bool write_xss(struct vcpu *vcpu, u32 msr, u64 value);

#endif
