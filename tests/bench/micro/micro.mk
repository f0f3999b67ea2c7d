# SPDX-License-Identifier: GPL-2.0-only
# The microbenchmark guest, build/bench/micro.elf: the test guest with other
# tests. make bench runs it.

MICRO_SHARED	:= $(addprefix $(B)/tests/guest/,entry.o cpu.o paging.o vmi.o \
		   trap.o tap.o pic.o)
MICRO_OBJ	:= $(patsubst tests/bench/micro/%,$(B)/bench/micro/%.o, \
		   $(basename $(wildcard tests/bench/micro/*.[ac]*)))

$(B)/bench/micro/%.o: tests/bench/micro/%.c tests/bench/micro/micro.h \
		      tests/guest/guest.h $(SPEC_HEADERS) | $(B)/.deps
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(HOSTCC) $(GUEST_CFLAGS) -Itests/guest -c -o $@ $<

$(B)/bench/micro/%.o: tests/bench/micro/%.asm | $(B)/.deps
	@mkdir -p $(@D)
	@echo "  NASM    $<"
	@nasm -f elf32 -g -w+all -w+error -o $@ $<

$(B)/bench/micro.elf: $(MICRO_OBJ) $(MICRO_SHARED) tests/guest/guest.lds
	@echo "  LD      $@"
	@ld -m elf_i386 --no-warn-rwx-segments -z noexecstack \
		-T tests/guest/guest.lds -o $@ $(MICRO_OBJ) $(MICRO_SHARED)
