# SPDX-License-Identifier: GPL-2.0-only
# A guest among others, build/tests/neighbour.elf; tests/run/guests.py runs it.

RUN_TESTS	+= guests.py
check: $(B)/tests/neighbour.elf

$(eval $(call guest,neighbours,$(B)/tests/neighbour.elf,$(GUEST_LDS)))
