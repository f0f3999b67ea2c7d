; SPDX-License-Identifier: GPL-2.0-only
;
; The native backend: the plain instruction behind each entry that a guest
; jumps to. Position independent, so the image is its own working copy,
; wherever the BIOS put it.

	bits 32

; Selectors that every user has cannot be refused, nor can the kernel's.
ENTRY IRET				; esp -> eip, cs, eflags [, esp, ss]; 5
	cmp word [esp + 4], VMI_SYSEXIT_CS
	jne .other
	cmp word [esp + 16], VMI_SYSEXIT_SS
	jne .odd
.insn:
	iretd
.other:	test byte [esp + 4], 3
	jz .insn
.odd:	call give_back
.odd_end:
END_ENTRY IRET

; A frame that IRET may refuse, once: the fault must come at the place in the
; guest that jumped here (VMI-3.6.4), for which it has a handler. So that place
; gets its instruction back, and the guest goes on there. It was patched by
; hand and a JMP leaves no trace, but it is what system calls return by: it is
; behind their entry. One byte is written, so that other processors see the
; jump or the instruction. If there is none, the IRET is done here.
%define GATE_80		(0x80 * 8)
%define GATE_P		0x8000
%define RANGE		4096
%define OP_JMP		0xe9
%define OP_IRET		0xcf
%define CR0_WP		0x10000
%define SAVED		32		; of PUSHAD; behind it where to go on

give_back:
	pushad
	mov ebx, [esp + SAVED]
	sub ebx, rom_IRET.odd_end - rom_IRET	; the entry that was jumped to
	sub esp, 8
	sidt [esp]
	mov eax, [esp + 2]
	add esp, 8
	mov edx, [ss:eax + GATE_80 + 4]
	test edx, GATE_P
	jz .none
	mov dx, [ss:eax + GATE_80]
	mov ecx, RANGE
.look:	cmp byte [ss:edx], OP_JMP
	jne .next
	mov eax, [ss:edx + 1]
	lea eax, [eax + edx + 5]
	cmp eax, ebx
	je .found
.next:	inc edx
	loop .look
.none:	lea edx, [ebx + rom_IRET.insn - rom_IRET]
	jmp .go_on
.found:	mov eax, cr0
	mov ecx, eax
	and eax, ~CR0_WP
	mov cr0, eax
	mov byte [ss:edx], OP_IRET
	mov cr0, ecx
.go_on:	mov [esp + SAVED], edx
	popad
	ret

ENTRY SYSEXIT				; edx = eip, ecx = esp
	sti				; its shadow covers the SYSEXIT
	sysexit
END_ENTRY SYSEXIT
