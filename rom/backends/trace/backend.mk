# SPDX-License-Identifier: GPL-2.0-only
# The stub's flags, and its sources, which this backend includes.
ROM_NASM_trace	= $(ROM_NASM_stub)
ROM_LD_trace	= $(ROM_LD_stub)

$(B)/rom/trace-hot.o: rom/backends/stub/hot.asm rom/backends/stub/answers.inc \
		     $(wildcard rom/backends/trace/*.inc)
$(B)/rom/trace-calls.o: rom/backends/stub/calls.c
