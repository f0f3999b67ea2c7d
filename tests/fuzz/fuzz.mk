# SPDX-License-Identifier: GPL-2.0-only
# make fuzz: coverage-guided fuzzing on the host; make coverage: which lines of
# the hypervisor unit tests and fuzzing reach. To add a target: tests/fuzz/
# NAME.c with fuzz_one(), seeds in tests/fuzz/corpus/NAME/, and one line below,
#		 $(eval $(call fuzz_target,NAME,LENGTH,SOURCES UNDER TEST))

PACKAGES	+= clang libclang-rt-14-dev llvm

FUZZ_CC		:= clang
FUZZCFLAGS	:= -g -std=gnu11 $(WARN) -Itests/host -Itests/fuzz \
		   -Itests/unit $(HV_INCLUDES) \
		   $(addprefix -Ihypervisor-stub/,mm x86 core metal) -Ispec/include -Irom/tool
FUZZ_SANITIZE	:= -fsanitize=fuzzer,address,undefined \
		   -fno-sanitize-recover=all -fno-omit-frame-pointer
FUZZ_TARGETS	:=
FUZZ_BIN	:=
FUZZ_COVERAGE	:=

# What judges is not fuzzed itself: neither sanitizers nor coverage.
$(B)/fuzz/obj/%.o: tests/%.c $(TEST_HEADERS) | $(B)/.deps
	@mkdir -p $(@D)
	@$(FUZZ_CC) -O2 $(FUZZCFLAGS) -c -o $@ $<

# $(1) name, $(2) longest input, $(3) sources under test, $(4) what judges them,
# $(5) flags
define fuzz_target
FUZZ_TARGETS	+= $(1):$(2)
FUZZ_BIN	+= $(B)/fuzz/bin/$(1)
$(B)/fuzz/bin/$(1): tests/fuzz/$(1).c $(3) $(4:%=$(B)/fuzz/obj/%.o) \
		$(B)/fuzz/obj/fuzz/fuzz.o $(TEST_HEADERS)
	@mkdir -p $$(@D)
	@echo "  FUZZ    $(1)"
	@$(FUZZ_CC) -O1 $(FUZZCFLAGS) $(FUZZ_SANITIZE) $(5) -o $$@ \
		tests/fuzz/$(1).c $(3) $(4:%=$(B)/fuzz/obj/%.o) \
		$(B)/fuzz/obj/fuzz/fuzz.o -lZydis

FUZZ_COVERAGE	+= $(B)/coverage/fuzz/$(1)
$(B)/coverage/fuzz/$(1): tests/fuzz/$(1).c $(3) $(4:%=$(B)/fuzz/obj/%.o) \
		$(B)/fuzz/obj/fuzz/fuzz.o $(TEST_HEADERS)
	@mkdir -p $$(@D)
	@echo "  FUZZ    coverage/fuzz/$(1)"
	@$(FUZZ_CC) -O1 $(FUZZCFLAGS) -fsanitize=fuzzer,address \
		$(COVERAGE_FLAGS) -o $$@ \
		tests/fuzz/$(1).c $(3) $(4:%=$(B)/fuzz/obj/%.o) \
		$(B)/fuzz/obj/fuzz/fuzz.o -lZydis
endef

# Comparisons that say how near they are help with magic numbers: none in some.
NO_CMP		:= -fno-sanitize-coverage=trace-cmp

$(eval $(call fuzz_target,decode,24,hypervisor-stub/x86/decode.c,unit/zydis))
$(eval $(call fuzz_target,loader,1536,$(addprefix hypervisor-stub/,core/loader.c \
	core/elf64.c lib/print.c)))
$(eval $(call fuzz_target,solo5,4096,$(addprefix hypervisor-stub/,core/solo5.c \
	core/elf64.c lib/print.c)))
$(eval $(call fuzz_target,solo5_calls,512,$(addprefix hypervisor-stub/,core/solo5_calls.c \
	devices/bus.c mm/gmem.c) tests/host/host.c,host/cpu))
$(eval $(call fuzz_target,rom,8192,hypervisor-stub/vmi/rom.c rom/tool/check.c,\
	host/cpu))
$(eval $(call fuzz_target,devices,256,$(addprefix hypervisor-stub/,devices/pic.c devices/pit.c \
	devices/uart.c devices/rtc.c devices/apic.c devices/ioapic.c)))

# The shadow tables with the model of the unit test.
FUZZ_SHADOW	:= $(HV_MM:%=hypervisor-stub/%.c) hypervisor-stub/x86/drain.c
FUZZ_MODEL	:= unit/shadow_model unit/shadow_walk host/cpu
$(eval $(call fuzz_target,shadow,256,$(FUZZ_SHADOW),$(FUZZ_MODEL),$(NO_CMP)))
$(eval $(call fuzz_target,queue,256,$(FUZZ_SHADOW),$(FUZZ_MODEL),$(NO_CMP)))
$(eval $(call fuzz_target,siblings,256,$(FUZZ_SHADOW),$(FUZZ_MODEL),$(NO_CMP)))
$(eval $(call fuzz_target,long,256,$(filter hypervisor-stub/mm/%,$(FUZZ_SHADOW)),\
	unit/long_model unit/long_walk host/cpu,$(NO_CMP)))

# All of the hypervisor that a guest can make run.
FUZZ_WORLD	:= rom/tool/check.c $(HV_HOSTED:%=hypervisor-stub/%.c)
FUZZ_JUDGE	:= fuzz/world host/processor host/host host/cpu

$(eval $(call fuzz_target,emul,40,$(FUZZ_WORLD),$(FUZZ_JUDGE),$(NO_CMP)))
$(eval $(call fuzz_target,desc,128,$(FUZZ_WORLD),$(FUZZ_JUDGE),$(NO_CMP)))
$(eval $(call fuzz_target,dispatch,256,$(FUZZ_WORLD),host/processor host/host host/cpu,\
	$(NO_CMP)))
$(eval $(call fuzz_target,exit,256,$(FUZZ_WORLD),$(FUZZ_JUDGE),$(NO_CMP)))
$(eval $(call fuzz_target,kvmi,512,$(FUZZ_WORLD),$(FUZZ_JUDGE),$(NO_CMP)))
$(FUZZ_BIN) $(FUZZ_COVERAGE): | $(B)/rom/stub.rom

# For tests/run/fuzz.
$(B)/fuzz/targets: tests/fuzz/fuzz.mk
	@mkdir -p $(@D)
	@echo $(FUZZ_TARGETS) >$@

check: $(FUZZ_BIN) $(B)/fuzz/targets

# TIME: seconds for each target. RUNS: executions instead. TARGET: one alone.
TIME		:= 10
TARGET		:=
.PHONY: fuzz
fuzz: $(FUZZ_BIN)
	@tests/fuzz/run.py $(if $(RUNS),--runs $(RUNS),--time $(TIME)) \
		$(if $(TARGET),$(filter $(TARGET):%,$(FUZZ_TARGETS)),$(FUZZ_TARGETS))

# All that handles what a guest does, or an image that somebody else has made.
GUEST_FACING	:= $(filter-out hypervisor-stub/mm/verify.c,$(FUZZ_WORLD)) \
		   $(addprefix hypervisor-stub/,mm/gmem.h mm/shadow.h include/mm.h \
			include/x86.h include/core.h)

.PHONY: coverage
coverage: $(UNIT_COVERAGE) $(FUZZ_COVERAGE)
	@tests/fuzz/coverage.py --unit $(UNIT_COVERAGE) \
		--fuzz $(FUZZ_COVERAGE) --files $(GUEST_FACING)
