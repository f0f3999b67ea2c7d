; SPDX-License-Identifier: GPL-2.0-only
; Where a further processor begins (smp.c); eax: its struct processor.

	bits 32

	section .text

	global processor_entry
	extern processor_loop
processor_entry:
	push eax
	call processor_loop
