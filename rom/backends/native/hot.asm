; SPDX-License-Identifier: GPL-2.0-only
;
; The native backend: the plain instruction behind each entry that a guest
; jumps to. Position independent, so the image is its own working copy,
; wherever the BIOS put it.

	bits 32

ENTRY IRET				; esp -> eip, cs, eflags [, esp, ss]
	iretd
END_ENTRY IRET

ENTRY SYSEXIT				; edx = eip, ecx = esp
	sti				; its shadow covers the SYSEXIT
	sysexit
END_ENTRY SYSEXIT
