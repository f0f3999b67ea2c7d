# SPDX-License-Identifier: GPL-2.0-only
# The attacker, build/tests/attack.elf, with the runtime of tests/guest;
# tests/run/attack.py runs it, in make check and in make attack, and
# attack_bochs.py a part of it in Bochs.

RUN_TESTS	+= attack.py attack_bochs.py faults.py
check: $(B)/tests/attack.elf

# For so many seconds random pages are poured in (as in tests/fuzz).
TIME		?= 10

.PHONY: attack
attack: $(B)/tests/attack.elf $(B)/hypervisor-stub.elf $(B)/rom/stub.rom
	@tests/run/attack.py --tap --time $(TIME)

ATTACK_OBJ	:= $(patsubst tests/%.c,$(B)/tests/%.o,$(wildcard tests/attack/*.c)) \
		   $(B)/tests/attack/enter.o \
		   $(addprefix $(B)/tests/guest/,cpu.o paging.o pic.o tap.o \
		   trap.o vmi.o entry.o)

$(B)/tests/attack/%.o: tests/attack/%.c tests/attack/attack.h \
		tests/guest/guest.h $(SPEC_HEADERS) tests/guest/guest.mk \
		tests/attack/attack.mk | $(B)/.deps
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(HOSTCC) $(GUEST_CFLAGS) -Itests/guest -c -o $@ $<

$(B)/tests/attack/enter.o: tests/attack/enter.asm | $(B)/.deps
	@mkdir -p $(@D)
	@echo "  NASM    $<"
	@nasm -f elf32 -g -w+all -w+error -o $@ $<

$(B)/tests/attack.elf: $(ATTACK_OBJ) tests/guest/guest.lds
	@echo "  LD      $@"
	@ld -m elf_i386 --no-warn-rwx-segments -z noexecstack \
		-T tests/guest/guest.lds -o $@ $(ATTACK_OBJ)
