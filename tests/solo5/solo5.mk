# SPDX-License-Identifier: GPL-2.0-only
# Unikernels for tests/run/solo5.py: build/tests/solo5/NAME.hvt, each from one file
# and what lib.h has.

RUN_TESTS	+= solo5.py

SOLO5_CFLAGS	:= -m64 -O2 -g -std=gnu11 -ffreestanding -fno-pic -mno-red-zone \
		   -fno-stack-protector -fcf-protection=none \
		   -fno-asynchronous-unwind-tables $(WARN) -Ispec/include
SOLO5_LIB	:= $(addprefix $(B)/tests/solo5/,lib.o traps.o)
SOLO5_TESTS	:= $(patsubst %.c,$(B)/%.hvt,$(filter-out %/lib.c,\
		   $(wildcard tests/solo5/*.c)))

.PHONY: solo5
check solo5: $(SOLO5_TESTS)

# Make would take them away, and say so behind the last line of make check.
.PRECIOUS: $(B)/tests/solo5/%.o
$(B)/tests/solo5/%.o: tests/solo5/%.c tests/solo5/solo5.mk | $(B)/.deps
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(HOSTCC) $(SOLO5_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/tests/solo5/%.o: tests/solo5/%.asm | $(B)/.deps
	@mkdir -p $(@D)
	@echo "  NASM    $<"
	@nasm -f elf64 -g -w+all -w+error -o $@ $<

$(B)/tests/solo5/%.hvt: $(B)/tests/solo5/%.o $(SOLO5_LIB) tests/solo5/solo5.lds
	@echo "  LD      $@"
	@ld -m elf_x86_64 -static -z noexecstack -z max-page-size=4096 \
		-T tests/solo5/solo5.lds -o $@ $< $(SOLO5_LIB)

-include $(patsubst %.hvt,%.d,$(SOLO5_TESTS)) $(B)/tests/solo5/lib.d
