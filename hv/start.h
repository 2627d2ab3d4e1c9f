/* A start's facts and steps that main.c and start_cpus.c share. */
#ifndef TALLY_START_H
#define TALLY_START_H

#include "host/cpu.h"
#include "options.h"
#include "platform/boot_info.h"
#include "vmx/controls.h"

extern struct boot_info info;    /* what the boot loader told */
extern struct options options;   /* Tally's command line */
extern struct controls controls; /* negotiated on the boot CPU */
extern unsigned cpus_present;    /* CPUs of the machine */
extern unsigned cpus_limit;      /* the guest may use so many */

/* Ends the run with this line, unless it is NULL. */
void stop_if(const char *problem);

/* Whether the firmware goes on as the guest. */
bool is_under_firmware(void);

/* Which CPUs there are: from the firmware, ACPI or the MP table. */
void find_the_cpus(void);

/* VMXON on the CPU that runs this, and its VMCS but for the guest's first registers. */
void set_up_vcpu(struct cpu *cpu);

/* Brings Tally to all others; their guests wait for a SIPI, or for the firmware as before. */
void start_the_other_cpus(void);

#endif
