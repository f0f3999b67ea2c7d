# SPDX-License-Identifier: GPL-2.0-only
# The attacker, build/tests/attack.elf; tests/run/attack.py runs it, in make
# check and in make attack, and attack_bochs.py a part of it in Bochs.

RUN_TESTS	+= attack.py attack_bochs.py faults.py
check: $(B)/tests/attack.elf

# For so many seconds random pages are poured in (as in tests/fuzz), and for a
# tenth of it two vCPUs race in each case that has two.
TIME		?= 10

.PHONY: attack
attack: $(addprefix $(B)/tests/,attack.elf attack64.elf) \
	$(B)/hypervisor-stub.elf $(addprefix $(B)/rom/,stub.rom stub64.rom)
	@tests/run/attack.py --tap --time $(TIME) --race $(TIME)00
	@tests/run/attack64.py --tap

$(eval $(call guest,attack,$(B)/tests/attack.elf,$(GUEST_LDS)))
