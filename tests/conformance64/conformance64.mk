# SPDX-License-Identifier: GPL-2.0-only
# The conformance suite for 64-bit guests, build/conformance64.elf; tests/conformance
# has the one for the others, and run.py for both.

RUN_TESTS	+= conformance64 conformance64_no_batch conformance64_smp \
		   conformance64_bochs.py
check: $(B)/conformance64.elf $(CONF64_ROMS)

CONF64_OBJ	:= $(patsubst %,$(B)/%.o,$(basename \
		   $(wildcard tests/conformance64/*.c tests/conformance64/*.asm)))
CONF64_LIB	:= $(patsubst %,$(B)/tests/guest64/%.o,cpu entry native play rom \
		   smp smp_entry several together xsave lib/tap lib/pc lib/cmdline)

$(B)/conformance64.elf: $(CONF64_OBJ) $(CONF64_LIB) tests/guest64/guest64.lds
	@echo "  LD      $@"
	@ld -m elf_x86_64 --no-warn-rwx-segments -z noexecstack \
		-T tests/guest64/guest64.lds -o $@ $(CONF64_OBJ) $(CONF64_LIB)

$(B)/tests/conformance64/%.o: tests/conformance64/%.c \
		tests/conformance64/conformance64.mk | $(B)/.deps
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(HOSTCC) $(GUEST64_CFLAGS) -Itests/guest64 -MMD -MP -c -o $@ $<

$(B)/tests/conformance64/%.o: tests/conformance64/%.asm \
		tests/conformance64/conformance64.mk | $(B)/.deps
	@mkdir -p $(@D)
	@echo "  NASM    $<"
	@nasm -f elf64 -g -w+all -w+error -MD $(@:.o=.d) -MP -o $@ $<

-include $(CONF64_OBJ:.o=.d)
