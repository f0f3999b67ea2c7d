# SPDX-License-Identifier: GPL-2.0-only
# The guest that checks the counters of the count backend,
# build/tests/count.elf; tests/run/count.py runs it.

RUN_TESTS	+= count.py
check: $(B)/tests/count.elf

COUNT_OBJ	:= $(B)/tests/count/main.o \
		   $(addprefix $(B)/tests/guest/,cpu.o paging.o pic.o tap.o \
		   trap.o vmi.o entry.o)

$(B)/tests/count/main.o: tests/count/main.c tests/guest/guest.h \
		$(SPEC_HEADERS) tests/guest/guest.mk | $(B)/.deps
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(HOSTCC) $(GUEST_CFLAGS) -Itests/guest -c -o $@ $<

$(B)/tests/count.elf: $(COUNT_OBJ) tests/guest/guest.lds
	@echo "  LD      $@"
	@ld -m elf_i386 --no-warn-rwx-segments -z noexecstack \
		-T tests/guest/guest.lds -o $@ $(COUNT_OBJ)
