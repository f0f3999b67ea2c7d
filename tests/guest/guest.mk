# SPDX-License-Identifier: GPL-2.0-only
# The test guest, build/tests/guest.elf; tests/run/guest runs it.

RUN_TESTS	+= guest guest_no_batch
check: $(B)/tests/guest.elf

GUEST_CFLAGS	:= -m32 -march=i686 -O2 -g -std=gnu11 -ffreestanding -fno-pic \
		   -fno-stack-protector -mgeneral-regs-only -fcf-protection=none \
		   -fno-asynchronous-unwind-tables $(WARN) -Ispec/include
GUEST_SRC	:= $(wildcard tests/guest/*.c)
GUEST_OBJ	:= $(GUEST_SRC:tests/guest/%.c=$(B)/tests/guest/%.o) \
		   $(B)/tests/guest/entry.o

$(B)/tests/guest/%.o: tests/guest/%.c tests/guest/guest.h $(SPEC_HEADERS) \
		      tests/guest/guest.mk | $(B)/.deps
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(HOSTCC) $(GUEST_CFLAGS) -c -o $@ $<

$(B)/tests/guest/entry.o: tests/guest/entry.asm | $(B)/.deps
	@mkdir -p $(@D)
	@echo "  NASM    $<"
	@nasm -f elf32 -g -w+all -w+error -o $@ $<

$(B)/tests/guest.elf: $(GUEST_OBJ) tests/guest/guest.lds
	@echo "  LD      $@"
	@ld -m elf_i386 --no-warn-rwx-segments -z noexecstack \
		-T tests/guest/guest.lds -o $@ $(GUEST_OBJ)
