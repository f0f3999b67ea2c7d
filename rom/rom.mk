# SPDX-License-Identifier: GPL-2.0-only
# The option ROMs, one per directory in rom/backends, and the tool that
# finishes and checks them. A backend is answers.inc, hot.asm, calls.c and,
# if it needs flags of its own, backend.mk.

ROM_BACKENDS	:= $(notdir $(patsubst %/,%,$(wildcard rom/backends/*/)))
ROM_CFLAGS	:= -m32 -march=i686 -mregparm=3 -O2 -g -std=gnu11 -ffreestanding \
		   -fno-pic -fno-jump-tables -fno-stack-protector \
		   -mgeneral-regs-only \
		   -fcf-protection=none -fno-asynchronous-unwind-tables \
		   $(WARN) -Ispec/include -Irom/common
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
	@nasm -f elf32 -g -w+all -w+error $(ROM_NASM_$*) -I$(GEN)/ \
		-Irom/common/ -Irom/backends/$*/ -o $@ rom/common/rom.asm

$(B)/rom/%-calls.o: rom/backends/%/calls.c rom/common/calls.h \
		    $(SPEC_HEADERS) rom/rom.mk | $(B)/.deps
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@$(HOSTCC) $(ROM_CFLAGS) -c -o $@ $<

$(B)/rom/%.elf: $(B)/rom/%-hot.o $(B)/rom/%-calls.o rom/common/rom.lds
	@echo "  LD      $@"
	@ld -m elf_i386 --emit-relocs --no-warn-rwx-segments -z noexecstack \
		$(ROM_LD_$*) -T rom/common/rom.lds -o $@ \
		$(filter %.o,$^)

$(B)/rom/%.rom: $(B)/rom/%.elf $(VMI_ROM)
	@echo "  ROM     $@"
	@$(VMI_ROM) finish $< $@

.PRECIOUS: $(B)/rom/%.flags $(B)/rom/%-hot.o $(B)/rom/%-calls.o $(B)/rom/%.elf

.PHONY: roms
roms: $(ROM_BACKENDS:%=$(B)/rom/%.rom)
