# SPDX-License-Identifier: GPL-2.0-only
# The flags of stub64, and sources that this backend includes.
ROM_NASM_trace64	= $(ROM_NASM_stub64)
ROM_LD_trace64		= $(ROM_LD_stub64)

$(B)/rom/trace64-hot.o: $(addprefix rom/backends/,stub64/hot.asm stub64/answers.inc \
	trace/nops.inc trace/wrap.inc trace/slots.inc)
$(B)/rom/trace64-calls.o: rom/backends/stub64/calls.c
