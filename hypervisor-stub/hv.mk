# SPDX-License-Identifier: GPL-2.0-only
# The hypervisor: build/hypervisor-stub.elf, for multiboot and multiboot2.

HV_MM		:= $(addprefix mm/,gmem view remap walk pool root sync fill verify long long_sync \
		   long_verify) \
		   vmi/queue
HV_SRC		:= $(addprefix core/,guest dispatch manage pages requests personality comm sched sched_control guest_end runnable hcall hcall_wide ipi timer io loader elf64 solo5 solo5_calls kvmi kvmi_commands kvmi_events kvmi_state control stats report) \
		   $(HV_MM) mm/copy $(addprefix vmi/,rom trace) \
		   $(addprefix x86/,entry trampoline exit watch step wide wide_exit wide_event xstate vcpu start drain event desc emulate \
			emulate64 operand port mmio decode cr cpuid cpuid_fault msr espfix speculation) \
		   $(addprefix devices/,bus pic pit apic ioapic mptable uart rtc) \
		   $(addprefix metal/,boot main multiboot map mce memory clock serial idt \
			debug watchdog nmi virtio virtio_channel lapic acpi mptable smp start) \
		   $(addprefix lib/,string print log random thunk) rom_check
# The public headers: what else a folder has is for itself. <cpu.h> is the
# machine's, which tests replace.
HV_INCLUDES	:= -Ihypervisor-stub/include
HV_CFLAGS	:= -m64 -O2 -g -std=gnu11 -ffreestanding -fno-pic -no-pie \
		   -mcmodel=kernel -mno-red-zone -mgeneral-regs-only \
		   -fno-stack-protector -fcf-protection=none \
		   -fno-asynchronous-unwind-tables -fno-strict-aliasing \
		   -nostdinc -isystem $$($(HOSTCC) -print-file-name=include) \
		   -Wframe-larger-than=2048 \
		   -mindirect-branch=thunk-extern -mindirect-branch-register \
		   -fno-jump-tables \
		   $(WARN) $(HV_INCLUDES) -Ihypervisor-stub/lib -Ihypervisor-stub/metal \
		   -Ispec/include -Irom/tool
# mm/ and the queue are one unit, so that what is hot can be in line.
HV_OBJ		:= $(patsubst %,$(B)/hv/%.o,$(filter-out $(HV_MM),$(HV_SRC)) mm)
HV_INC		:= $(B)/hv/hv.inc

$(B)/hv/%.o: hypervisor-stub/%.c hypervisor-stub/hv.mk | $(B)/.deps
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@$(HOSTCC) $(HV_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/hv/mm.c: hypervisor-stub/hv.mk
	@mkdir -p $(@D)
	@printf '#include "%s"\n' $(HV_MM:%=hypervisor-stub/%.c) >$@

$(B)/hv/mm.o: $(B)/hv/mm.c
	@echo "  CC      $@"
	@$(HOSTCC) $(HV_CFLAGS) -iquote . -MMD -c -o $@ $<

# The check of an image is the tool's: both refuse with the same words.
$(B)/hv/rom_check.o: rom/tool/check.c hypervisor-stub/hv.mk | $(B)/.deps
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@$(HOSTCC) $(HV_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/hv/asm_offsets.s: hypervisor-stub/x86/asm_offsets.c hypervisor-stub/hv.mk | $(B)/.deps
	@mkdir -p $(@D)
	@$(HOSTCC) $(HV_CFLAGS) -MMD -MP -S -o $@ $<

$(HV_INC): $(B)/hv/asm_offsets.s
	@sed -n 's/.*"->\([A-Z0-9_]*\) \$$\(-\{0,1\}[0-9]*\)".*/%define \1 \2/p' $< >$@

$(B)/hv/%.o: hypervisor-stub/%.asm $(HV_INC) $(wildcard hypervisor-stub/*/*.inc) | $(B)/.deps
	@mkdir -p $(@D)
	@echo "  NASM    $@"
	@nasm -f elf64 -g -F dwarf -w+all -w-unknown-warning -w+error -I$(B)/hv/ \
		-Ihypervisor-stub/include/ -Ihypervisor-stub/metal/ -o $@ $<

$(B)/hv/hypervisor64.elf: $(HV_OBJ) hypervisor-stub/metal/hv.ld
	@echo "  LD      $@"
	@$(HOSTCC) -nostdlib -static -no-pie -Wl,-T,hypervisor-stub/metal/hv.ld \
		-Wl,-z,max-page-size=4096,-z,noexecstack,--build-id=none \
		-Wl,--no-warn-rwx-segments \
		-Wl,--defsym=$$(sed -n 's/^%define \(IMAGE_BASE\) /\1=/p' $(HV_INC)) -o $@ $(HV_OBJ) -lgcc

# QEMU's multiboot loader takes 32-bit ELF files only.
$(B)/hypervisor-stub.elf: $(B)/hv/hypervisor64.elf
	@objcopy -O elf32-i386 $< $@

-include $(HV_OBJ:.o=.d) $(B)/hv/asm_offsets.d
