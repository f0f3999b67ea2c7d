# SPDX-License-Identifier: GPL-2.0-only
# The test guest, build/tests/guest.elf; tests/run/guest runs it.

RUN_TESTS	+= guest guest_no_batch
check: $(B)/tests/guest.elf

$(eval $(call guest,guest,$(B)/tests/guest.elf,$(GUEST_LDS)))
