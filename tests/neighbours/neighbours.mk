# SPDX-License-Identifier: GPL-2.0-only
# A guest among others, build/tests/neighbour.elf, with the runtime of
# tests/guest; tests/run/guests.py runs it.

RUN_TESTS	+= guests.py
check: $(B)/tests/neighbour.elf

NEIGHBOUR_OBJ	:= $(B)/tests/neighbours/main.o \
		   $(addprefix $(B)/tests/guest/,cpu.o paging.o pic.o tap.o \
		   trap.o vmi.o entry.o)

$(B)/tests/neighbours/%.o: tests/neighbours/%.c tests/guest/guest.h \
		$(SPEC_HEADERS) tests/guest/guest.mk \
		tests/neighbours/neighbours.mk | $(B)/.deps
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(HOSTCC) $(GUEST_CFLAGS) -Itests/guest -c -o $@ $<

$(B)/tests/neighbour.elf: $(NEIGHBOUR_OBJ) tests/guest/guest.lds
	@echo "  LD      $@"
	@ld -m elf_i386 --no-warn-rwx-segments -z noexecstack \
		-T tests/guest/guest.lds -o $@ $(NEIGHBOUR_OBJ)
