# SPDX-License-Identifier: GPL-2.0-only
# The 64-bit attacker, build/tests/attack64.elf; tests/run/attack64.py runs it. Of
# the 64-bit test guest it has the processor, memory and the ROM.

RUN_TESTS	+= attack64.py attack64_bochs.py
check: $(B)/tests/attack64.elf

ATTACK64_OBJ	:= $(patsubst %,$(B)/%.o,$(basename \
		   $(wildcard tests/attack64/*.c tests/attack64/*.asm)))
ATTACK64_LIB	:= $(patsubst %,$(B)/tests/guest64/%.o,cpu entry native play rom smp \
		   smp_entry lib/tap lib/pc lib/cmdline)

$(B)/tests/attack64.elf: $(ATTACK64_OBJ) $(ATTACK64_LIB) tests/guest64/guest64.lds
	@echo "  LD      $@"
	@ld -m elf_x86_64 --no-warn-rwx-segments -z noexecstack \
		-T tests/guest64/guest64.lds -o $@ $(ATTACK64_OBJ) $(ATTACK64_LIB)

$(B)/tests/attack64/%.o: tests/attack64/%.c tests/attack64/attack64.mk | $(B)/.deps
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(HOSTCC) $(GUEST64_CFLAGS) -Itests/attack -Itests/guest64 -MMD -MP -c -o $@ $<

$(B)/tests/attack64/%.o: tests/attack64/%.asm tests/attack64/attack64.mk | $(B)/.deps
	@mkdir -p $(@D)
	@echo "  NASM    $<"
	@nasm -f elf64 -g -w+all -w+error -MD $(@:.o=.d) -MP -o $@ $<

-include $(ATTACK64_OBJ:.o=.d)
