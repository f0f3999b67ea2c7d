# SPDX-License-Identifier: GPL-2.0-only
# The conformance suite, build/conformance.elf, with the runtime of
# tests/guest. "make conformance ROM=FILE" runs it with one ROM, else with
# each that is built here.

RUN_TESTS	+= conformance conformance_no_batch
check: $(B)/conformance.elf

CONF_SRC	:= $(wildcard tests/conformance/*.c)
CONF_OBJ	:= $(CONF_SRC:tests/%.c=$(B)/tests/%.o) \
		   $(B)/tests/conformance/calls.o \
		   $(B)/tests/conformance/instructions.o \
		   $(addprefix $(B)/tests/guest/,cpu.o pic.o tap.o trap.o \
		   vmi.o entry.o)
CONF_ROMS	= $(or $(ROM),$(addprefix $(B)/rom/,stub.rom native.rom count.rom))

$(B)/tests/conformance/%.o: tests/conformance/%.c tests/conformance/conf.h \
		tests/guest/guest.h $(SPEC_HEADERS) tests/guest/guest.mk \
		tests/conformance/conformance.mk | $(B)/.deps
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(HOSTCC) $(GUEST_CFLAGS) -Itests/guest -c -o $@ $<

$(B)/tests/conformance/%.o: tests/conformance/%.asm | $(B)/.deps
	@mkdir -p $(@D)
	@echo "  NASM    $<"
	@nasm -f elf32 -g -w+all -w+error -o $@ $<

$(B)/conformance.elf: $(CONF_OBJ) tests/guest/guest.lds
	@echo "  LD      $@"
	@ld -m elf_i386 --no-warn-rwx-segments -z noexecstack \
		-T tests/guest/guest.lds -o $@ $(CONF_OBJ)

.PHONY: conformance
conformance: $(B)/conformance.elf $(B)/hypervisor-stub.elf $(VMI_ROM) \
	     $(addprefix $(B)/rom/,stub.rom native.rom count.rom)
	@tests/conformance/run.py $(if $(ROM),,--clauses) $(CONF_ROMS)
