# SPDX-License-Identifier: GPL-2.0-only
# The 64-bit test guest, build/tests/guest64.elf; tests/run/guest64 runs it. Of
# tests/lib it has what knows nothing of VMI.

RUN_TESTS	+= guest64 guest64_no_batch guest64_smp guest64_bochs.py
check: $(B)/tests/guest64.elf

GUEST64_CFLAGS	:= -m64 -O2 -g -std=gnu11 -ffreestanding -fno-pic -mcmodel=kernel \
		   -mno-red-zone -fno-stack-protector -mgeneral-regs-only \
		   -fcf-protection=none -fno-asynchronous-unwind-tables $(WARN) \
		   -Ispec/include -Itests/lib
GUEST64_OBJ	:= $(patsubst %,$(B)/%.o,$(basename \
		   $(wildcard tests/guest64/*.c tests/guest64/*.asm))) \
		   $(patsubst %,$(B)/tests/guest64/lib/%.o,tap pc cmdline)

$(B)/tests/guest64.elf: $(GUEST64_OBJ) tests/guest64/guest64.lds
	@echo "  LD      $@"
	@ld -m elf_x86_64 --no-warn-rwx-segments -z noexecstack \
		-T tests/guest64/guest64.lds -o $@ $(GUEST64_OBJ)

$(B)/tests/guest64/%.o: tests/guest64/%.c tests/guest64/guest64.mk | $(B)/.deps
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(HOSTCC) $(GUEST64_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/tests/guest64/lib/%.o: tests/lib/%.c tests/guest64/guest64.mk | $(B)/.deps
	@mkdir -p $(@D)
	@echo "  CC      $< (64-bit)"
	@$(HOSTCC) $(GUEST64_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/tests/guest64/%.o: tests/guest64/%.asm tests/guest64/guest64.mk | $(B)/.deps
	@mkdir -p $(@D)
	@echo "  NASM    $<"
	@nasm -f elf64 -g -w+all -w+error -Itests/lib/ -MD $(@:.o=.d) -MP -o $@ $<

-include $(GUEST64_OBJ:.o=.d)
