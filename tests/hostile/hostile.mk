# SPDX-License-Identifier: GPL-2.0-only
# The hostile user, build/initramfs/hostile: a program of the initramfs, which
# tests/run/hostile.py and hostile_bochs.py start.

RUN_TESTS	+= hostile.py hostile_bochs.py
I_EXTRA		+= $(B)/initramfs/hostile

$(B)/initramfs/hostile: $(wildcard tests/hostile/*.[ch]) \
		tests/hostile/hostile.mk | $(B)/.deps
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@gcc -m32 -static -no-pie -fno-pic -O2 -std=gnu11 -fcf-protection=none \
		-fno-stack-protector -fno-omit-frame-pointer -msse2 $(WARN) -o $@ \
		$(filter %.c,$^)
