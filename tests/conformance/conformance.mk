# SPDX-License-Identifier: GPL-2.0-only
# The conformance suite, build/conformance.elf. "make conformance ROM=FILE"
# runs it with one ROM, else with each that is built here.

RUN_TESTS	+= conformance conformance_no_batch conformance_smp
check: $(B)/conformance.elf

CONF_ROMS	= $(or $(ROM),$(addprefix $(B)/rom/,stub.rom native.rom count.rom))

$(eval $(call guest,conformance,$(B)/conformance.elf,$(GUEST_LDS)))

.PHONY: conformance
conformance: $(B)/conformance.elf $(B)/hypervisor-stub.elf $(VMI_ROM) \
	     $(addprefix $(B)/rom/,stub.rom native.rom count.rom)
	@tests/conformance/run.py $(if $(ROM),,--clauses) $(CONF_ROMS)
