# SPDX-License-Identifier: GPL-2.0-only
# The old client, build/tests/client.elf; tests/run/client.py runs it.

RUN_TESTS	+= client.py
check: $(B)/tests/client.elf

$(eval $(call guest,client,$(B)/tests/client.elf,tests/client/client.lds))
