/* Offsets and numbers for recorded_exit.inc: hv/offsets.c includes this. */
#ifndef TALLY_SITES_OFFSETS_H
#define TALLY_SITES_OFFSETS_H

static inline void recorder_offsets(void)
{
    DEFINE(SEEN_EAX, offsetof(struct vcpu, seen.eax));
    DEFINE(SEEN_ECX, offsetof(struct vcpu, seen.ecx));
    DEFINE(SEEN_MODE, offsetof(struct vcpu, seen.mode));
    DEFINE(SEEN_RIP, offsetof(struct vcpu, seen.rip));
    DEFINE(SEEN_LEGACY, SEEN_LEGACY);
    DEFINE(SEEN_IA32E_SHIFT, SEEN_IA32E_SHIFT);
    DEFINE(SEEN_PE_SHIFT, SEEN_PE_SHIFT);
    DEFINE(SEEN_REASON_SHIFT, SEEN_REASON_SHIFT);
    DEFINE(SOURCE_FIELDS, SOURCE_FIELDS);
    DEFINE(EPT_ACCESS, EPT_ACCESS);
    DEFINE(EXIT_QUALIFICATION, EXIT_QUALIFICATION);
    DEFINE(GUEST_PHYSICAL_ADDRESS, GUEST_PHYSICAL_ADDRESS);
    DEFINE(PAGE_SIZE, PAGE_SIZE);
    DEFINE(RFLAGS_IF, RFLAGS_IF);
    DEFINE(RECORDER_KNOWN, offsetof(struct vcpu, recorder.known));
    DEFINE(RECORDER_SEQUENCE, offsetof(struct vcpu, recorder.sequence));
    DEFINE(RECORDER_TRACE, offsetof(struct vcpu, recorder.trace));
    DEFINE(RECORDER_TRACE_NEXT, offsetof(struct vcpu, recorder.trace_next));
    DEFINE(RECORDER_TRACE_END, offsetof(struct vcpu, recorder.trace_end));
    DEFINE(RECORDER_TRACE_TURN, offsetof(struct vcpu, recorder.trace_turn));
    DEFINE(RECORDER_CYCLES, offsetof(struct vcpu, recorder.cycles));
    DEFINE(RECORDER_LEARNT, offsetof(struct vcpu, recorder.learnt));
    DEFINE(KNOWN_SITES_SHIFT, KNOWN_SITES_SHIFT);
    DEFINE(KNOWN_SIZE_SHIFT, KNOWN_SIZE_SHIFT);
    DEFINE(KNOWN_RIP, offsetof(struct known_site, rip));
    DEFINE(KNOWN_DETAIL, offsetof(struct known_site, detail));
    DEFINE(KNOWN_WHAT, offsetof(struct known_site, what));
    DEFINE(KNOWN_COUNTER, offsetof(struct known_site, counter));
    DEFINE(KNOWN_BUCKETS, offsetof(struct known_site, buckets));
    DEFINE(KNOWN_KEY_RIP, offsetof(struct known_site, key_rip));
    DEFINE(KNOWN_KEY_DETAIL, offsetof(struct known_site, key_detail));
    DEFINE(KNOWN_TRACED, offsetof(struct known_site, vcpu));
    DEFINE(HISTOGRAM_BUCKETS, HISTOGRAM_BUCKETS);
    DEFINE(TRACE_TIME, offsetof(struct trace_record, time));
    DEFINE(TRACE_RIP, offsetof(struct trace_record, rip));
    DEFINE(TRACE_DETAIL, offsetof(struct trace_record, detail));
    DEFINE(TRACE_CYCLES, offsetof(struct trace_record, cycles));
    DEFINE(TRACE_VCPU, offsetof(struct trace_record, vcpu));
    DEFINE(TRACE_RECORD_SIZE, sizeof(struct trace_record));
    DEFINE(TRACE_WRITTEN, offsetof(struct trace_log, written));
    DEFINE(FACTS_START_TSC, offsetof(struct run_facts, start_tsc));
}

#endif
