# SPDX-License-Identifier: GPL-2.0-only
# The conformance suite, build/conformance.elf. "make conformance ROM=FILE"
# runs it, or the 64-bit one, with one ROM, else both with each that is built here.

RUN_TESTS	+= conformance conformance_no_batch conformance_smp
check: $(B)/conformance.elf

CONF_ROMS	= $(or $(ROM),$(addprefix $(B)/rom/,stub.rom native.rom count.rom))

CONF64_ROMS	= $(addprefix $(B)/rom/,stub64.rom native64.rom)

$(eval $(call guest,conformance,$(B)/conformance.elf,$(GUEST_LDS)))

.PHONY: conformance
conformance: $(B)/conformance.elf $(B)/conformance64.elf \
	     $(B)/hypervisor-stub.elf $(VMI_ROM) \
	     $(addprefix $(B)/rom/,stub.rom native.rom count.rom) $(CONF64_ROMS)
	@tests/conformance/run.py $(if $(ROM),,--clauses) $(CONF_ROMS)
	$(if $(ROM),,@tests/conformance/run.py --clauses $(CONF64_ROMS))
