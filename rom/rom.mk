# SPDX-License-Identifier: GPL-2.0-only
# The option ROMs, one per directory in rom/backends, and the tool that
# finishes and checks them. A backend is answers.inc, hot.asm, calls.c and,
# if it needs flags of its own, backend.mk. One whose name ends in 64 is for
# 64-bit guests.

ROM_BACKENDS	:= $(notdir $(patsubst %/,%,$(wildcard rom/backends/*/)))
ROM_CFLAGS	:= -O2 -g -std=gnu11 -ffreestanding -fno-jump-tables \
		   -fno-stack-protector -mgeneral-regs-only \
		   -fcf-protection=none -fno-asynchronous-unwind-tables \
		   $(WARN) -Ispec/include -Irom/common
ROM_CFLAGS_32	:= -m32 -march=i686 -mregparm=3 -fno-pic
# What a kernel's compiler leaves out of the System V ABI (VMI64-3.1).
ROM_CFLAGS_64	:= -m64 -fpie -mno-red-zone -mpreferred-stack-boundary=3
ROM_LD_32	:= -m elf_i386
ROM_LD_64	:= -m elf_x86_64

# 32 or 64, within a rule of a backend, which $* is.
rom_width	= $(if $(filter %64,$*),64,32)
VMI_ROM		:= $(B)/tools/vmi-rom
VMI_ROM_SRC	:= $(wildcard rom/tool/*.c)

# A number of the C headers, for a linker's command line.
vmi_number	= $$(sed -n 's/^%define $(1) //p' $(VMI_INC))

-include $(wildcard rom/backends/*/backend.mk)

$(VMI_ROM): $(VMI_ROM_SRC) $(wildcard rom/tool/*.h) $(SPEC_HEADERS) \
	    rom/rom.mk | $(B)/.deps
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@$(HOSTCC) $(HOSTCFLAGS) -o $@ $(VMI_ROM_SRC)

# Flags can come from the command line (VIRTUAL_TOP): rebuild when they change.
$(B)/rom/%.flags: FORCE
	@mkdir -p $(@D)
	@echo '$(ROM_NASM_$*)' | cmp -s - $@ || echo '$(ROM_NASM_$*)' > $@
.PHONY: FORCE
FORCE:

$(B)/rom/%-hot.o: rom/backends/%/hot.asm rom/backends/%/answers.inc \
		  rom/common/rom.asm rom/common/layout.inc $(VMI_INC) \
		  $(B)/rom/%.flags
	@mkdir -p $(@D)
	@echo "  NASM    $@"
	@nasm -f elf$(rom_width) -g -w+all -w+error \
		-DROM_WIDTH=$(rom_width) $(ROM_NASM_$*) -I$(GEN)/ -Irom/common/ \
		-Irom/backends/$*/ -o $@ rom/common/rom.asm

$(B)/rom/%-calls.o: rom/backends/%/calls.c $(wildcard rom/common/*.h) \
		    $(SPEC_HEADERS) rom/rom.mk | $(B)/.deps
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@$(HOSTCC) $(ROM_CFLAGS) $(ROM_CFLAGS_$(rom_width)) -c -o $@ $<

$(B)/rom/%.elf: $(B)/rom/%-hot.o $(B)/rom/%-calls.o rom/common/rom.lds
	@echo "  LD      $@"
	@ld $(ROM_LD_$(rom_width)) --emit-relocs --no-warn-rwx-segments -z noexecstack \
		$(ROM_LD_$*) -T rom/common/rom.lds -o $@ \
		$(filter %.o,$^)

$(B)/rom/%.rom: $(B)/rom/%.elf $(VMI_ROM)
	@echo "  ROM     $@"
	@$(VMI_ROM) finish $< $@

.PRECIOUS: $(B)/rom/%.flags $(B)/rom/%-hot.o $(B)/rom/%-calls.o $(B)/rom/%.elf

.PHONY: roms
roms: $(ROM_BACKENDS:%=$(B)/rom/%.rom)
