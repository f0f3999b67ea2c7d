# SPDX-License-Identifier: GPL-2.0-only
# The guest that checks the counters of the count backend,
# build/tests/count.elf; tests/run/count.py runs it.

RUN_TESTS	+= count.py
check: $(B)/tests/count.elf

$(eval $(call guest,count,$(B)/tests/count.elf,$(GUEST_LDS)))
