# SPDX-License-Identifier: GPL-2.0-only
# make mutants: checks taken out of the hypervisor and the ROM one at a time
# (tests/mutants/list); which test notices? The list itself is a test.

RUN_TESTS	+= mutants

# The runner builds these again, each in a copy of the tree.
.PHONY: unit-tests
unit-tests: $(UNIT_TESTS)

# ONLY: the name of one mutant.
ONLY		:=
.PHONY: mutants
mutants: all unit-tests $(FUZZ_BIN) $(B)/fuzz/targets $(B)/linux-pae/bzImage \
	 $(B)/conformance.elf $(addprefix $(B)/tests/,guest.elf attack.elf \
	 neighbour.elf client.elf)
	@tests/mutants/run.py $(if $(ONLY),"$(ONLY)")
