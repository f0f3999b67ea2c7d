# SPDX-License-Identifier: GPL-2.0-only
# The hostile user, a program of each initramfs that tests/run/hostile.py and
# hostile_bochs.py start: main.c and memory.c, what is in this folder besides for
# 32 bits, tests/hostile64 for 64.

RUN_TESTS	+= hostile.py hostile_bochs.py
I_EXTRA		+= $(I)/hostile
I64_EXTRA	+= $(I64)/hostile

HOSTILE_CC	= gcc -static -no-pie -fno-pic -O2 -std=gnu11 -fcf-protection=none \
		  -fno-stack-protector -fno-omit-frame-pointer $(WARN) -o $@ \
		  $(filter %.c,$^)

$(I)/hostile: $(wildcard tests/hostile/*.[ch]) \
		tests/hostile/hostile.mk | $(B)/.deps
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@$(HOSTILE_CC) -m32 -msse2

$(I64)/hostile: tests/hostile/main.c tests/hostile/memory.c \
		tests/hostile/hostile.h $(wildcard tests/hostile64/*.[ch]) \
		tests/hostile/hostile.mk | $(B)/.deps
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@$(HOSTILE_CC) -m64 -mcmodel=small
