; SPDX-License-Identifier: GPL-2.0-only
;
; The native backend: the plain instruction behind each entry that a guest
; patches into its text. Position independent, so the image is its own
; working copy, wherever the BIOS put it.

	bits 32

ENTRY EnableInterrupts			; every register preserved
	sti
	ret
END_ENTRY EnableInterrupts

ENTRY DisableInterrupts			; every register preserved
	cli
	ret
END_ENTRY DisableInterrupts

ENTRY GetInterruptMask			; out eax, bit 9 counts; ecx, edx kept
	pushfd
	pop eax
	ret
END_ENTRY GetInterruptMask

; In eax, of which only bit 9 counts: a mask may hold nothing else, so it
; must not reach POPF. ecx kept.
ENTRY SetInterruptMask
	test ah, 1 << (9 - 8)
	jz .off
	sti
	ret
.off:	cli
	ret
END_ENTRY SetInterruptMask

ENTRY IRET				; esp -> eip, cs, eflags [, esp, ss]
	iretd
END_ENTRY IRET

ENTRY SYSEXIT				; edx = eip, ecx = esp
	sti				; its shadow covers the SYSEXIT
	sysexit
END_ENTRY SYSEXIT
