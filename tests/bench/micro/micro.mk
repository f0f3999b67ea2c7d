# SPDX-License-Identifier: GPL-2.0-only
# The microbenchmark guest, build/bench/micro.elf; make bench runs it.

$(eval $(call guest,bench/micro,$(B)/bench/micro.elf,$(GUEST_LDS)))
