# Tally. `make help` lists the targets and variables.

B ?= build
ifeq ($(B),)
override B := build
endif
ifneq ($(words $(B) $(CURDIR)),2)
$(error make cannot cope with spaces in a path: B=$(B), in $(CURDIR))
endif
ABS_B  := $(abspath $(B))
# Nobody's files go with `make clean`.
ifneq ($(filter $(patsubst %/,%,$(ABS_B))/%,$(CURDIR)/),)
$(error B=$(B) has the sources in it; name a directory for the build alone)
endif
export B := $(ABS_B)
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
.SECONDEXPANSION:

# What is built together with 'clean' is built after it.
ifneq ($(filter clean,$(MAKECMDGOALS)),)
.NOTPARALLEL:
endif

# One short line a file, unless V=1 asks for the commands or -s for nothing.
ifeq ($(V),)
.SILENT:
step = $(if $(findstring s,$(firstword -$(MAKEFLAGS))),:,printf '  %-6s %s\n' $(1) $(@:$(B)/%=%))
else
step = @:
endif

# A variable on the command line that nothing here uses is a slip of the pen; all that may be given are in capitals.
GIVEN := $(foreach v,$(filter-out MAKE% SHELL,$(.VARIABLES)),$(if $(filter command,$(origin $v)),$v))
known = $(shell echo '$v' | grep -qx '[A-Z0-9_]*' && grep -rqE '[$$][^A-Za-z_ ]{0,2}$v\>|\<$v=' Makefile tools tests/run && echo known)
UNKNOWN := $(strip $(foreach v,$(GIVEN),$(if $(known),,$v)))
ifneq ($(UNKNOWN),)
$(error unknown variable $(UNKNOWN); 'make help' lists those that there are)
endif

# ---- Tools -----------------------------------------------------------------------------------------------

ifneq ($(filter x86_64 amd64,$(shell uname -m)),)
CROSS_COMPILE ?=
else
CROSS_COMPILE ?= x86_64-linux-gnu-
endif
ifeq ($(origin CC),default)
CC := gcc
endif
IS_CLANG := $(findstring clang,$(notdir $(CC)))
ifeq ($(or $(IS_CLANG),$(findstring gcc,$(notdir $(CC))),$(filter cc,$(CC))),)
$(error CC=$(CC): Tally is built by gcc or clang)
endif
TARGET_CC := $(if $(IS_CLANG),$(CC) --target=x86_64-unknown-none-elf,$(CROSS_COMPILE)$(CC))
ifneq ($(IS_CLANG),)
LD_FOUND := $(shell command -v $(CROSS_COMPILE)ld)
TARGET_LD ?= $(if $(LD_FOUND),$(CROSS_COMPILE)ld,ld.lld)
else
TARGET_LD ?= $(CROSS_COMPILE)ld
endif
# Programs for this machine; they have a C library.
HOST_CC := $(if $(IS_CLANG),$(CC),gcc)
STRIP := $(shell command -v $(CROSS_COMPILE)strip || echo llvm-strip)
NASM  ?= nasm

# ---- Flags -----------------------------------------------------------------------------------------------

# In a container the sources may be another user's, which git refuses.
VERSION := $(shell git -c safe.directory='$(CURDIR)' describe --always --dirty --tags 2>/dev/null || cat VERSION 2>/dev/null || echo unknown)

WARNINGS := -Wall -Wextra -Werror
CFLAGS_COMMON := -std=c17 -g -ffreestanding $(WARNINGS) -mgeneral-regs-only -mno-red-zone \
    -fno-pic -fno-pie -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables \
    -fno-strict-aliasing -fno-common -ffunction-sections -fdata-sections -Iinclude -I$(B)
# No filling with no-ops: a tick in Bochs is an instruction, and they are executed, too.
PACKED       := $(if $(IS_CLANG),,-malign-data=abi $(patsubst %,-falign-%=1,functions jumps loops labels))
FOR_SPEED    := -O2 $(PACKED)
FOR_SIZE     := -Os -fno-jump-tables $(PACKED)
# Without vector registers nothing needs a stack aligned to 16, nor RAX to say how many of them a call passes.
NO_VECTORS   := -mskip-rax-setup $(if $(IS_CLANG),-mstack-alignment=8,-mpreferred-stack-boundary=3)
# A memcpy() of a few bytes is a move. Of strncmp() a compiler makes strcmp(), which is not here.
BUILTINS     := -fbuiltin -fno-builtin-strncmp
# A handler's prototype is made of its row in exit_reasons.def: an exit_… that no row names has none.
CFLAGS_tally := $(CFLAGS_COMMON) $(BUILTINS) -Wmissing-prototypes $(NO_VECTORS) -mcmodel=kernel -iquote hv
CFLAGS_tally += $(if $(COUNT_ACCESSES),-include tests/accesses/accesses.h)
CFLAGS_guest := $(CFLAGS_COMMON) -Iguest
CFLAGS_tool  := -std=gnu17 -O1 $(WARNINGS) -iquote include -iquote hv
CFLAGS_host  := -std=gnu17 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined $(WARNINGS) \
    -DTALLY_HOST -DTALLY_VERSION='"test"' -Iinclude -iquote hv -Itools/explain -Itests/unit
NASMFLAGS    := -f elf64 -g -F dwarf -Iinclude/ -I$(B)/
LDFLAGS      := -nostdlib -static --gc-sections -z max-page-size=4096 -z noexecstack --build-id=none

# ---- Sources ---------------------------------------------------------------------------------------------

TALLY_C   := $(filter-out hv/offsets.c,$(sort $(shell find hv -name '*.c' 2>/dev/null)))
TALLY_ASM := $(sort $(shell find boot hv -name '*.asm' 2>/dev/null))
GUEST_C   := $(sort $(shell find guest -name '*.c' ! -path 'guest/linux/*'))
GUEST_ASM := $(sort $(shell find guest -name '*.asm'))
# What most exits run through is compiled for speed, all the rest for size.
TALLY_FAST := hv/exits/control_registers.c hv/exits/cpuid.c hv/exits/dispatch.c hv/exits/events.c hv/exits/hlt.c \
    hv/exits/instructions.c hv/exits/observe.c hv/sites/detail.c hv/sites/sites.c hv/exits/io.c hv/emulate/port.c hv/exits/msr.c hv/exits/msr_access.c hv/stats/counters.c hv/vmx/events.c
TALLY_OBJECTS := $(addprefix $(B)/,$(TALLY_ASM:.asm=.asm.o) $(TALLY_C:.c=.o) $(if $(COUNT_ACCESSES),tests/accesses/accesses.o))
TEST_OBJECTS  := $(patsubst %.c,$(B)/%.o,$(sort $(wildcard tests/image/*.c tools/explain/entry_checks*.c)))
EXPLAIN       := $(patsubst %.c,$(B)/explainer/%.o,$(sort $(wildcard tools/explain/*.c)) hv/vmx/capabilities.c)
GUEST_OBJECTS := $(addprefix $(B)/,$(GUEST_ASM:.asm=.asm.o) $(GUEST_C:.c=.o))
UNIT_TESTS    := $(patsubst tests/unit/%.c,$(B)/unit/%,$(sort $(wildcard tests/unit/*_test.c)))
FIXTURES      := $(patsubst tests/fixtures/%.asm,$(B)/fixtures/%.bin,$(sort $(wildcard tests/fixtures/*.asm)))

# ---- Tally and its guest ---------------------------------------------------------------------------------

.PHONY: all tally guest iso
all: tally $(B)/tally-test.elf guest $(B)/probe.bin iso  ## build Tally, the guest test kernel and the boot image (default)
tally: $(B)/tally.elf $(B)/last-report $(B)/trace-export $(B)/explain
guest: $(B)/guest.elf
iso: $(B)/tally.iso  ## build/tally.iso with a boot menu, for a CD or (dd) a USB stick

$(B)/tally.debug: $(TALLY_OBJECTS) linker.ld $(B)/flags
	$(call step,LINK)
	$(TARGET_LD) $(LDFLAGS) -T linker.ld -o $@ $(TALLY_OBJECTS)

# The test image: tests/image steps in where its hooks.c says.
$(B)/tally-test.debug: $(TALLY_OBJECTS) $(TEST_OBJECTS) linker.ld $(B)/flags
	$(call step,LINK)
	$(TARGET_LD) $(LDFLAGS) $(STEPPED_IN) -T linker.ld -o $@ $(TALLY_OBJECTS) $(TEST_OBJECTS)
STEPPED_IN = $(shell sed -n 's|^STEP_IN.[^,]*, \([a-z_]*\),.*|--wrap=\1|p' tests/image/hooks.c)

$(B)/guest.debug: $(GUEST_OBJECTS) guest/linker.ld $(B)/flags
	$(call step,LINK)
	$(TARGET_LD) $(LDFLAGS) -T guest/linker.ld -o $@ $(GUEST_OBJECTS)

$(B)/%.elf: $(B)/%.debug
	$(call step,STRIP)
	$(STRIP) --strip-all -o $@ $<

# For the host: the report of a machine that the runner has stopped, by the code that Tally prints with.
LAST_REPORT := tools/last_report.c tools/machine.c $(patsubst %,hv/%.c,stats/report stats/counters stats/timeline_print stats/window sites/sites_print sites/words lib/print)
$(B)/last-report: $(LAST_REPORT) $(wildcard tools/machine.h include/*.h include/*.def hv/lib/*.h hv/stats/*.h) $(B)/flags
	$(call step,HOST)
	$(HOST_CC) $(CFLAGS_tool) -o $@ $(LAST_REPORT)

# For the host: the records of the exits, for tools/report.
TRACE_EXPORT := $(wildcard tools/trace/*.c) hv/stats/counters.c hv/sites/words.c hv/lib/print.c
$(B)/trace-export: $(TRACE_EXPORT) $(wildcard tools/trace/*.h include/*.h include/*.def hv/lib/*.h hv/stats/*.h) $(B)/flags
	$(call step,HOST)
	$(HOST_CC) $(CFLAGS_tool) -o $@ $(TRACE_EXPORT)

$(B)/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(call step,CC)
	$(TARGET_CC) $(CFLAGS_$(if $(filter guest/%,$<),guest,tally)) $(if $(filter tests/% tools/%,$<),-Itools/explain) $(OPTIMISE) $(VERSION_FLAG) -MMD -MP -c -o $@ $<
OPTIMISE = $(if $(filter $(TALLY_FAST) guest/%,$<),$(FOR_SPEED),$(FOR_SIZE))

$(B)/%.asm.o: %.asm $$(if $$(wildcard hv/offsets.c),$(B)/offsets.inc) $(B)/flags
	@mkdir -p $(@D)
	$(call step,NASM)
	$(NASM) $(NASMFLAGS) -I$(<D)/ -MD $(@:.o=.d) -MP -o $@ $<

# For people: says in words what Tally dumps in numbers.
$(B)/explain: $(EXPLAIN)
	$(call step,LINK)
	$(HOST_CC) -o $@ $^

$(B)/explainer/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(call step,CC)
	$(HOST_CC) $(CFLAGS_tool) -DTALLY_HOST -Itools/explain -MMD -MP -c -o $@ $<

# Structure offsets for assembly: hv/offsets.c compiles to lines '->NAME $value', which become definitions.
$(B)/offsets.inc: hv/offsets.c $(B)/flags
	@mkdir -p $(@D)
	$(call step,CC)
	$(TARGET_CC) $(CFLAGS_tally) $(if $(IS_CLANG),-fno-integrated-as) -MMD -MP -MT $@ -S -o $(@:.inc=.s) $<
	sed -n 's/^.*->\([A-Za-z_][A-Za-z0-9_]*\)  *\$$\{0,1\}\(-\{0,1\}[0-9][0-9]*\).*/%define \1 \2/p' \
	    $(@:.inc=.s) >$@

$(B)/font.bin: tools/font $(B)/flags
	$(call step,FONT)
	tools/font >$@
$(B)/hv/platform/font.asm.o: $(B)/font.bin

$(B)/%.bin: tools/%.asm $(B)/flags
	@mkdir -p $(@D)
	$(call step,NASM)
	$(NASM) -f bin -o $@ $<

$(B)/fixtures/%.bin: tests/fixtures/%.asm $(B)/flags
	@mkdir -p $(@D)
	$(call step,NASM)
	$(NASM) -f bin -o $@ $<

$(B)/tally.iso: $(B)/tally.elf $(B)/guest.elf tools/grub.cfg tools/mkmenu
	$(call step,ISO)
	tools/mkmenu $@

# Files that change only when their text does: the compiler and flags, on which all that is compiled depends,
# and the version, on which depends what prints it.
$(B)/flags: TEXT = $(HOST_CC) $(CFLAGS_tool) $(TARGET_CC) $(TARGET_LD) $(CFLAGS_tally) $(CFLAGS_guest) $(FOR_SPEED) $(TALLY_FAST) $(FOR_SIZE) $(CFLAGS_host) $(NASMFLAGS) $(LDFLAGS)
$(B)/version: TEXT = $(VERSION)
$(B)/flags $(B)/version: force
	@$(MAKE_B)
	@for tool in $(firstword $(TARGET_CC)) $(firstword $(TARGET_LD)) $(NASM); do \
	    command -v $$tool >/dev/null || { echo "make: $$tool is missing; 'make deps' installs it on Debian" >&2; exit 1; }; \
	done
	@echo $(call quote,$(TEXT)) | cmp -s - $@ || echo $(call quote,$(TEXT)) >$@
MAKE_B = { mkdir -p $(B) 2>/dev/null && [ -w $(B) ] || { echo "make: cannot write to $(B); build elsewhere: make B=DIRECTORY" >&2; exit 1; }; }
quote = '$(subst ','\'',$(1))'

VERSION_USERS := $(filter $(TALLY_C) $(GUEST_C),$(shell grep -rl TALLY_VERSION --include='*.c' hv guest 2>/dev/null))
$(patsubst %.c,$(B)/%.o,$(VERSION_USERS)): $(B)/version
$(patsubst %.c,$(B)/%.o,$(VERSION_USERS)): VERSION_FLAG = -DTALLY_VERSION='"$(VERSION)"'

.PHONY: force
force:

# ---- Run -------------------------------------------------------------------------------------------------

RUN_VARIABLES := PLATFORM GUEST KERNEL MODULES OPTIONS CPU CPUS MEM TIMEOUT INTERACTIVE VERBOSE \
    APPEND INITRD LINUX_IMAGE SYMBOLS DISK FIRMWARE
export $(RUN_VARIABLES)
# Building before a run is quiet, and uses every processor unless the user said otherwise. Of two at a time in
# one directory the second waits.
BUILD = $(MAKE_B) && { [ -d $(B)/hv ] || echo 'make: building in $(B)' >&2; } && \
    $(if $(shell command -v flock),flock $(B)) $(MAKE) --no-print-directory $(if $(V),,-s) $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))
# Ubuntu 22.04 does not have it, and makes no page.
PAGE_DEPENDENCIES = tools/deps page || echo 'make: going on without libjs-dygraphs' >&2
RUN_DEPENDENCIES = build run $(if $(filter linux,$(GUEST)),linux)

.PHONY: caps compare debug deps run run-native report tools
deps:  ## install (apt-get) what building, running and testing need
	@tools/deps build run test linux

run:  ## boot Tally with its guest, stream the console, end by its verdict
	@tools/deps $(RUN_DEPENDENCIES)
	@+$(BUILD) tally guest $(B)/probe.bin >&2
	@tools/run --environment --log $(B)/console.log

run-native:  ## boot the guest bare, without Tally
	@tools/deps $(RUN_DEPENDENCIES)
	@+$(BUILD) guest $(B)/explain $(B)/probe.bin >&2
	@tools/run --environment --native --log $(B)/console.log

tools:  ## build/guest-tools/tally for any Linux under Tally: docs/measure.md
	@tools/deps linux
	@tools/guest-tools $(B)/guest-tools && echo "make: $(B)/guest-tools: tally, and tally-top and tally-mark, which are links to it"

debug:  ## run in Bochs' debugger, or (PLATFORM=qemu) for gdb: docs/debug.md
	@tools/deps $(RUN_DEPENDENCIES) $(if $(filter qemu tcg,$(PLATFORM)),debug)
	@+$(BUILD) tally guest $(B)/probe.bin >&2
	@tools/run --environment --debug --log $(B)/console.log

caps:  ## the machine's VMX capabilities, and which of them Tally would use
	@tools/deps $(RUN_DEPENDENCIES)
	@+$(BUILD) tally $(B)/probe.bin >&2
	@OPTIONS="caps $(OPTIONS)" tools/run --environment --no-guest

report:  ## report.html, pictures, exports of the last console, or of LOG=FILE
	@tools/deps report
	@$(PAGE_DEPENDENCIES)
	@+$(BUILD) tally >&2
	@$(if $(LOG)$(wildcard $(B)/console.log),,echo "make: no console is kept yet: make run, or make report LOG=FILE" >&2; exit 2)
	@tools/report $(if $(SYMBOLS),-s $(call quote,$(SYMBOLS))) $(call quote,$(or $(LOG),$(B)/console.log))

compare:  ## what changed between two runs, OLD=FILE and NEW=FILE
	@$(if $(and $(OLD),$(NEW)),,echo "make: which two consoles? make compare OLD=FILE NEW=FILE [BUDGET=FILE]" >&2; exit 2)
	@tools/compare $(if $(BUDGET),-b $(call quote,$(BUDGET))) $(if $(SYMBOLS),-s $(call quote,$(SYMBOLS))) $(call quote,$(OLD)) $(call quote,$(NEW))

# ---- Tests and checks ------------------------------------------------------------------------------------

.PHONY: test test-nested test-long test-programs bench measure fuzz fuzz-host size check docs format
test:  ## unit and system tests, 15 minutes; CI=true: a few of the next, too
	@tools/deps build run test linux
	@$(PAGE_DEPENDENCIES)
	@$(if $(filter true,$(CI)),PLATFORM=nested tools/deps run)
	@+$(BUILD) all test-programs >&2
	@tests/run $(TESTS)

test-nested:  ## Tally in QEMU with KVM on a Linux in Bochs, 10 minutes
	@PLATFORM=nested tools/deps build run test linux
	@+$(BUILD) all >&2
	@NESTED=long tests/run tests/nested/*.t

test-long:  ## what takes too long for make test: 40 minutes
	@tools/deps build run test
	@+$(BUILD) all >&2
	@LOADER_EVERY=1 DISK_PROFILES="minimal kvm all" ACCOUNT_PROFILES="minimal kvm all" SITES_MILLIONS=1 \
	    tests/run tests/system/42-sites.t tests/system/46-loader.t \
	    tests/system/47-account.t tests/system/65-disk.t tests/system/66-disk-uefi.t tests/system/68-menu.t

test-programs: $(UNIT_TESTS) $(FIXTURES)

# A unit test is linked with what it needs of Tally and of the explainer. What stands in for the rest is its own, or in the
# sources that a comment names: // link: tests/unit/fake_vmcs*.c
NOT_ARCHIVED := hv/main.c hv/host/cpu.c hv/host/found_state.c hv/host/traps.c tools/explain/main.c
ARCHIVED     := $(filter-out $(NOT_ARCHIVED),$(TALLY_C) $(sort $(wildcard tests/image/*.c tools/explain/*.c)))
$(patsubst %,$(B)/%/libtally.a,host fuzz fuzz/coverage): $$(addprefix $$(@D)/,$(ARCHIVED:.c=.o))
	$(call step,AR)
	rm -f $@
	ar crs $@ $^

linked = $(patsubst %.c,$(B)/host/%.o,$(wildcard $(shell sed -n 's|^// link:||p' tests/unit/$(1).c 2>/dev/null)))
$(B)/unit/%: $(B)/host/tests/unit/%.o $$(call linked,%) $(B)/host/libtally.a
	@mkdir -p $(@D)
	$(call step,LINK)
	gcc $(CFLAGS_host) -o $@ $^ -lcmocka

$(B)/host/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(call step,CC)
	gcc $(CFLAGS_host) -MMD -MP -c -o $@ $<

# Fuzzing on the host: clang's libFuzzer sees what tests/fuzz/target.c runs through in the rooms that handle an exit,
# and gcov what the corpus reaches. Nothing is inlined, so that an edge is a branch of the source.
SERIES    = $(call linked,fuzz_corpus_test) $(B)/host/libtally.a
GUIDED   := hv/exits/%.c hv/emulate/%.c hv/memory/%.c hv/vmx/%.c
$(B)/fuzz/target: $(B)/fuzz/tests/fuzz/target.o $$(patsubst $(B)/host/%,$(B)/fuzz/%,$$(SERIES))
	$(call step,LINK)
	clang $(CFLAGS_host) -fsanitize=fuzzer -o $@ $^ -lcmocka

$(B)/fuzz/coverage/replay: $(B)/fuzz/coverage/tests/unit/fuzz_corpus_test.o $$(patsubst $(B)/host/%,$(B)/fuzz/coverage/%,$$(SERIES))
	$(call step,LINK)
	gcc $(CFLAGS_host) --coverage -o $@ $^ -lcmocka

$(B)/fuzz/coverage/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(call step,CC)
	gcc $(CFLAGS_host) -O0 --coverage -MMD -MP -c -o $@ $<

$(B)/fuzz/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(call step,CC)
	clang $(CFLAGS_host) -w -O2 $(if $(filter $(GUIDED),$<),-fno-inline -fsanitize=fuzzer-no-link) -MMD -MP -c -o $@ $<

fuzz-host:  ## exits that libFuzzer makes up, on the host: docs/fuzz.md
	@tools/deps build test fuzz
	@+$(BUILD) $(B)/fuzz/target $(B)/fuzz/coverage/replay >&2
	@tools/fuzz-host $(foreach name,seconds profile input,$(call fuzz_option,$(name)))

bench:  ## round trips in ticks, in Bochs, and the image's bytes; KVM=1
	@tools/deps build run
	@$(if $(KVM),PLATFORM=nested tools/deps run)
	@+$(BUILD) tally guest >&2
	@tools/bench $(if $(KVM),--kvm)

measure:  ## docs/linux-boot.md's tables and pictures anew; some twenty boots
	@PLATFORM=nested tools/deps build run linux report
	@+$(BUILD) tally guest >&2
	@tools/linux-measure

fuzz:  ## random instructions in Bochs; COMPARE=1: with the bare machine
	@tools/deps build run
	@+$(BUILD) tally guest >&2
	@tools/fuzz$(if $(COMPARE),-compare) $(foreach name,seconds seed count cpu options,$(call fuzz_option,$(name)))
fuzz_option = $(if $($(call upper,$(1))),--$(1) $(call quote,$($(call upper,$(1)))))
upper = $(shell echo $(1) | tr a-z A-Z)

size: $(B)/tally.elf $(B)/guest.elf  ## bytes of the images, and of Tally's parts
	@tools/size

check:  ## clang-format, clang-tidy, cppcheck, shellcheck
	@tools/deps check
	@tools/check $(CHECKS)

docs:  ## docs/exit-reasons.md, from the table and the last test run
	@tools/reasons $(ABS_B)/reasons >$(ABS_B)/exit-reasons.md && cp $(ABS_B)/exit-reasons.md docs/

format:  ## let clang-format have its way
	@tools/deps check
	@git ls-files '*.c' '*.h' | xargs -r clang-format -i

.PHONY: clean help
clean:  ## remove the build directory
	@[ ! -e $(B) ] || [ -e $(B)/flags ] || { echo "make: $(B) is no build directory; nothing removed" >&2; exit 1; }
	rm -rf $(B)

help:  ## this list
	@echo 'Targets:'
	@sed -n 's/^\([a-z-]*\):.*  ## \(.*\)/  \1\t\2/p' Makefile | expand -t 14
	@sed -n '/^# Variables/,/^$$/s/^# \{0,1\}//p' Makefile

# Variables (make NAME=value):
#   PLATFORM     qemu (KVM with nested VMX), bochs, or nested (that QEMU, in
#                Bochs: docs/nested.md); default: QEMU where VMX works, else Bochs
#   CPU          model of the processor; Bochs: broadwell_ult, others; QEMU: host
#   CPUS  MEM    number of processors (1), memory in MB (256)
#   OPTIONS      Tally's command line, for example "exits=all stats=table,json"
#   GUEST        test (default), linux, or disk: the system on an image, below
#   DISK         raw image of a disk, never written: it boots under Tally
#   FIRMWARE     bios (default) or uefi (OVMF)
#   KERNEL       another guest kernel, "path arguments": multiboot or bzImage
#   MODULES      its modules, "path arguments;path arguments"
#   APPEND       words for a Linux' command line; INITRD  its initrd, with KERNEL
#   LINUX_IMAGE  GUEST=linux: Debian's cloud (default) or plain kernel
#   TIMEOUT      seconds until a run is given up (300; 0: never)
#   INTERACTIVE  1: what you type goes to the guest's console; so it is with
#                GUEST=linux at a terminal (0: not)
#   VERBOSE      1: the guest test kernel's every test, not a line a family
#   BOCHS        another Bochs: its program; for make test BOCHS_NEWER=PROGRAM
#   B            where to build (build);  V  1: show the commands
#   CC           gcc or clang;  CROSS_COMPILE  prefix of the tools: x86_64-elf-
#   COUNT_ACCESSES  1: Tally counts its VMREADs and VMWRITEs, too: docs/nested.md
#   LOG          make report: this console, not the last run's
#   SYMBOLS      make report, compare, debug: the guest's functions: docs/sites.md
#   OLD NEW BUDGET   make compare: two consoles, and what the second may make at
#                most (docs/measure.md)
#   KVM          make bench: 1 measures KVM in Tally's place, too (docs/nested.md)
#   TESTS  JOBS  make test: these (tests/system/10-guest.t); so many at a time (2)
#   CHECKS       make check: these of format tidy cppcheck shell
#   SECONDS=60 SEED= COUNT= PROFILE= INPUT=   make fuzz, fuzz-host: docs/fuzz.md

-include $(shell find $(B) -name '*.d' -type f 2>/dev/null)
