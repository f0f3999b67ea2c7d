# SPDX-License-Identifier: GPL-2.0-only
# Tests. To add
#   a unit test: write tests/unit/test_NAME.c and add one line below,
#		 $(eval $(call unit_test,NAME,SOURCES UNDER TEST))
#   a guest:	 write tests/NAME/ and one line, see tests/lib/lib.mk
#   any other:	 put an executable into tests/run/, see tests/runner for what
#		 it prints, and add its name to RUN_TESTS.

UNITFLAGS	:= -O1 -g -std=gnu11 $(WARN) -Itests/host -Itests/unit -Itests/fuzz \
		   $(HV_INCLUDES) $(addprefix -Ihypervisor-stub/,mm x86 core metal) \
		   -Ispec/include -Irom/tool
UNITCFLAGS	:= $(UNITFLAGS) -fsanitize=address,undefined \
		   -fno-sanitize-recover=all -fno-omit-frame-pointer
COVERAGE_FLAGS	:= -fprofile-instr-generate -fcoverage-mapping
UNIT_TESTS	:=
UNIT_COVERAGE	:=

TEST_HEADERS	:= $(wildcard hypervisor-stub/*/*.h \
		   spec/include/*.h rom/tool/*.h tests/unit/*.h tests/host/*.h \
		   tests/fuzz/*.h)

# $(1) name, $(2) sources under test, $(3) libraries beyond cmocka, $(4) sources
# that are compiled once for all tests
define unit_test
UNIT_TESTS	+= $(B)/tests/unit/$(1)
$(B)/tests/unit/$(1): tests/unit/test_$(1).c $(2) \
		$(4:%.c=$(B)/tests/obj/%.o) $(TEST_HEADERS) | $(B)/.deps
	@mkdir -p $$(@D)
	@echo "  CC      tests/unit/$(1)"
	@$$(HOSTCC) $$(UNITCFLAGS) -o $$@ tests/unit/test_$(1).c $(2) \
		$(4:%.c=$(B)/tests/obj/%.o) -lcmocka $(3)

UNIT_COVERAGE	+= $(B)/coverage/unit/$(1)
$(B)/coverage/unit/$(1): tests/unit/test_$(1).c $(2) \
		$(4:%.c=$(B)/coverage/obj/%.o) $(TEST_HEADERS) | $(B)/.deps
	@mkdir -p $$(@D)
	@echo "  CC      coverage/unit/$(1)"
	@clang $$(UNITFLAGS) $$(COVERAGE_FLAGS) -o $$@ tests/unit/test_$(1).c $(2) \
		$(4:%.c=$(B)/coverage/obj/%.o) -lcmocka $(3)
endef

$(B)/tests/obj/%.o: %.c $(TEST_HEADERS) | $(B)/.deps
	@mkdir -p $(@D)
	@$(HOSTCC) $(UNITCFLAGS) -c -o $@ $<

$(B)/coverage/obj/%.o: %.c $(TEST_HEADERS) | $(B)/.deps
	@mkdir -p $(@D)
	@clang $(UNITFLAGS) $(COVERAGE_FLAGS) -c -o $@ $<

# All that handles what a guest does, and runs on the host; and the host.
HV_HOSTED	:= $(filter-out metal/% mm/copy x86/entry x86/trampoline x86/wide x86/xstate x86/cpuid_fault lib/thunk x86/espfix x86/speculation \
		   lib/string rom_check,$(HV_SRC))
HOSTED		:= $(HV_HOSTED:%=hypervisor-stub/%.c) rom/tool/check.c \
		   $(addprefix tests/,host/cpu.c host/host.c host/processor.c unit/testing.c)

$(eval $(call unit_test,pic,hypervisor-stub/devices/pic.c))
$(eval $(call unit_test,apic,hypervisor-stub/devices/apic.c))
$(eval $(call unit_test,apic_routing,hypervisor-stub/devices/apic.c))
$(eval $(call unit_test,apic_timer,hypervisor-stub/devices/apic.c))
$(eval $(call unit_test,ioapic,$(addprefix hypervisor-stub/devices/,ioapic.c apic.c)))
$(eval $(call unit_test,mptable,hypervisor-stub/devices/mptable.c))
$(eval $(call unit_test,pit,hypervisor-stub/devices/pit.c))
$(eval $(call unit_test,uart,hypervisor-stub/devices/uart.c))
$(eval $(call unit_test,rtc,hypervisor-stub/devices/rtc.c))
$(eval $(call unit_test,print,hypervisor-stub/lib/print.c))
$(eval $(call unit_test,bus,hypervisor-stub/devices/bus.c))
$(eval $(call unit_test,decode,hypervisor-stub/x86/decode.c \
	tests/unit/zydis.c tests/unit/testing.c,-lZydis))
LOADER		:= $(addprefix hypervisor-stub/,core/loader.c core/elf64.c lib/print.c) \
		   tests/unit/loader_images.c
$(eval $(call unit_test,loader,$(LOADER)))
$(eval $(call unit_test,loader_memory,$(LOADER)))
$(eval $(call unit_test,solo5,$(addprefix hypervisor-stub/,core/solo5.c core/elf64.c \
	lib/print.c) tests/unit/solo5_images.c))
# With a model of what the guest's tables say.
MODELLED	:= $(HV_MM:%=hypervisor-stub/%.c) hypervisor-stub/x86/drain.c \
		   $(addprefix tests/unit/,shadow_model.c shadow_walk.c \
			chance.c testing.c) tests/host/cpu.c
$(eval $(call unit_test,shadow,$(MODELLED)))
$(eval $(call unit_test,fault,$(MODELLED)))
$(eval $(call unit_test,queue,$(MODELLED)))
$(eval $(call unit_test,long,$(patsubst %,hypervisor-stub/%.c,$(filter mm/%,$(HV_MM))) \
	$(addprefix tests/unit/,long_model.c long_walk.c chance.c testing.c) \
	tests/host/cpu.c))
EMULATOR	:= $(addprefix hypervisor-stub/,x86/emulate.c x86/emulate64.c x86/operand.c \
		   x86/port.c x86/mmio.c x86/msr.c x86/decode.c devices/apic.c devices/bus.c) \
		   tests/host/cpu.c tests/unit/emul.c
$(eval $(call unit_test,emul,$(EMULATOR),-Xlinker --wrap=bus_read -Xlinker --wrap=bus_write))
$(eval $(call unit_test,emul64,$(EMULATOR),-Xlinker --wrap=bus_read -Xlinker --wrap=bus_write))
$(eval $(call unit_test,emul_port,$(EMULATOR),-Xlinker --wrap=bus_read -Xlinker --wrap=bus_write))
$(eval $(call unit_test,wide,$(addprefix hypervisor-stub/x86/,desc.c wide_event.c) \
	tests/host/cpu.c))
$(eval $(call unit_test,start64,$(addprefix hypervisor-stub/x86/,start.c cr.c desc.c \
	wide_event.c) tests/host/cpu.c))
$(eval $(call unit_test,sched,$(addprefix hypervisor-stub/,core/sched.c core/sched_control.c core/guest_end.c core/runnable.c devices/apic.c \
	devices/pic.c) tests/host/cpu.c tests/host/host.c tests/unit/testing.c))
# Of the whole core.
$(eval $(call unit_test,io,tests/unit/no_guest.c,,$(HOSTED)))
$(eval $(call unit_test,dispatch,tests/unit/no_guest.c,-Xlinker --wrap=introspect_hypercall,$(HOSTED)))
$(eval $(call unit_test,pages,tests/unit/no_guest.c,-Xlinker --wrap=host_kick,$(HOSTED)))
$(eval $(call unit_test,comm,tests/unit/no_guest.c,-Xlinker --wrap=gmem_store32,$(HOSTED)))
$(eval $(call unit_test,requests,tests/unit/no_guest.c,-Xlinker --wrap=gmem_store32,$(HOSTED)))
$(eval $(call unit_test,timer,tests/unit/no_guest.c,,$(HOSTED)))
$(eval $(call unit_test,solo5_calls,tests/unit/no_guest.c,,$(HOSTED)))
$(eval $(call unit_test,guest,$(addprefix tests/unit/,images.c solo5_images.c),,$(HOSTED)))
$(eval $(call unit_test,manage,tests/unit/images.c,,$(HOSTED)))
$(eval $(call unit_test,control,tests/unit/images.c,,$(HOSTED)))
$(eval $(call unit_test,cr,$(addprefix tests/unit/,images.c no_guest.c),,$(HOSTED)))
$(eval $(call unit_test,start,$(addprefix tests/unit/,images.c no_guest.c),,$(HOSTED)))
$(foreach t,guest manage control cr start,$(B)/tests/unit/$(t) $(B)/coverage/unit/$(t)): \
	| $(B)/rom/stub.rom
$(eval $(call unit_test,clock,$(addprefix hypervisor-stub/metal/,clock.c lapic.c) \
	tests/host/cpu.c))
$(eval $(call unit_test,firmware,$(addprefix hypervisor-stub/metal/,acpi.c \
	mptable.c) tests/host/cpu.c))
$(eval $(call unit_test,serial,hypervisor-stub/metal/serial.c))
$(eval $(call unit_test,virtio,$(addprefix hypervisor-stub/metal/,virtio.c virtio_channel.c memory.c) \
	tests/host/cpu.c))
$(eval $(call unit_test,multiboot,hypervisor-stub/metal/multiboot.c tests/host/cpu.c))
$(eval $(call unit_test,cpuid_fault,hypervisor-stub/x86/cpuid_fault.c tests/host/cpu.c))
$(eval $(call unit_test,step,hypervisor-stub/x86/step.c tests/host/cpu.c))
$(eval $(call unit_test,speculation,hypervisor-stub/x86/speculation.c \
	tests/host/cpu.c))
$(eval $(call unit_test,rom,rom/tool/check.c))
$(B)/tests/unit/rom $(B)/coverage/unit/rom: | $(B)/rom/stub.rom $(B)/rom/native.rom
$(eval $(call unit_test,rom64,rom/tool/check.c))
$(B)/tests/unit/rom64 $(B)/coverage/unit/rom64: | \
	$(addprefix $(B)/rom/,stub64.rom native64.rom template64.rom native.rom)
# Linked where a process can have it, and run.
$(B)/tests/stub64.bin: $(B)/rom/stub64.elf rom/common/rom.lds
	@mkdir -p $(@D)
	@ld $(ROM_LD_64) --no-warn-rwx-segments -z noexecstack \
		--defsym=rom_base=0x60000000 --defsym=rom_shared=0x60010000 \
		-T rom/common/rom.lds -o $(@:.bin=.elf) $(B)/rom/stub64-hot.o \
		$(B)/rom/stub64-calls.o
	@objcopy -O binary $(@:.bin=.elf) $@
$(eval $(call unit_test,stub64))
$(B)/tests/unit/stub64 $(B)/coverage/unit/stub64: | $(B)/tests/stub64.bin

$(eval $(call unit_test,gmem,hypervisor-stub/metal/memory.c hypervisor-stub/mm/gmem.c \
	tests/host/cpu.c,-Xlinker --wrap=memset))

# Their sources are compiled for a thread sanitizer, which the test itself plays.
RACE_OBJ	:= $(patsubst %,$(B)/tests/race/%.o,$(HV_MM) x86/drain)
RACE_EXITS_OBJ	:= $(HV_HOSTED:%=$(B)/tests/race/%.o)
$(B)/tests/race/%.o: hypervisor-stub/%.c | $(B)/.deps
	@mkdir -p $(@D)
	@$(HOSTCC) -O2 -g -std=gnu11 $(WARN) -Itests/host \
		$(HV_INCLUDES) -Ihypervisor-stub/metal -Ispec/include -Irom/tool -fsanitize=thread \
		--param tsan-distinguish-volatile=1 -MMD -MP -c -o $@ $<
-include $(RACE_EXITS_OBJ:.o=.d)
$(eval $(call unit_test,race,$(RACE_OBJ) tests/host/cpu.c))
$(eval $(call unit_test,race_long,$(filter $(B)/tests/race/mm/%,$(RACE_OBJ)) tests/host/cpu.c))
# On the machine of tests/fuzz.
$(eval $(call unit_test,race_exits,$(RACE_EXITS_OBJ) $(addprefix $(B)/fuzz/obj/,fuzz/world.o \
	host/processor.o host/host.o) \
	rom/tool/check.c tests/unit/testing.c tests/host/cpu.c))
$(B)/tests/unit/race_exits $(B)/coverage/unit/race_exits: | $(B)/rom/stub.rom

RUN_TESTS	:= guest_memory.py iso.py linux.py linux_pae.py linux_amd64.py vmi_uart.py smp.py native_rom.py rom_tool bad_input.py \
		   shell.py kvmi.py kvmi_connections.py kvmi_linux.py ends.py again.py \
		   machine.py trace.py abi.py make.py releases.py kit.py example.py fuzz \
		   service.py hypercalls.py vmictl.py control.py

PACKAGES	+= bochs bochsbios vgabios ovmf
check: iso

include tests/guest/guest.mk
include tests/guest64/guest64.mk
include tests/attack/attack.mk
include tests/attack64/attack64.mk
include tests/hostile/hostile.mk
include tests/neighbours/neighbours.mk
include tests/conformance/conformance.mk
include tests/conformance64/conformance64.mk
include tests/count/count.mk
include tests/client/client.mk
include tests/fuzz/fuzz.mk
include tests/mutants/mutants.mk
include tests/solo5/solo5.mk
include tests/lint/lint.mk
include tests/spin/spin.mk

.PHONY: check-unit check-long

CHECK_KERNELS	:= $(patsubst %,$(B)/%/bzImage,linux-up linux-pae linux-amd64) \
		   $(B)/initramfs-amd64.cpio.gz $(B)/service.cpio.gz \
		   $(B)/service-amd64.cpio.gz

check: all $(CHECK_KERNELS) $(UNIT_TESTS)
	@tests/runner $(UNIT_TESTS) $(addprefix tests/run/,$(RUN_TESTS))

check-unit: $(UNIT_TESTS)
	@tests/runner $(UNIT_TESTS)

# What takes too long for each time: several processors, for half an hour.
check-long: all iso $(CHECK_KERNELS)
	@tests/runner tests/run/conformance_share tests/run/smp_long
