# SPDX-License-Identifier: GPL-2.0-only
# make lint: what tools can say about the sources; tests/run/lint.py asks them.

PACKAGES	+= shellcheck flake8 codespell
RUN_TESTS	+= lint.py

# All that is compiled, but the kernel: lint.py takes the flags from here.
.PHONY: programs
programs: roms $(VMI_ROM) $(VMI_INC) $(B)/hypervisor-stub.elf $(PROFILER) \
	  $(I)/smoke $(I)/stress $(I)/vmictl $(I)/vmi-uart $(I)/vmi-errors $(I_EXTRA) $(I64_EXTRA) \
	  $(B)/bench/micro.elf $(B)/conformance.elf \
	  $(B)/conformance64.elf \
	  $(addprefix $(B)/tests/,$(addsuffix .elf,guest guest64 attack attack64 neighbour count \
	  client)) $(SOLO5_TESTS) $(UNIT_TESTS) $(FUZZ_BIN)

# checkpatch.pl comes with the kernel.
.PHONY: lint
lint: $(B)/linux/.unpacked
	@tests/runner tests/run/lint.py
