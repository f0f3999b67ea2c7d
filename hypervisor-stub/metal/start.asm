; SPDX-License-Identifier: GPL-2.0-only
;
; From STARTUP to processor_started() in long mode, with the tables of
; host_tables(), which map START_PAGE while processors start. smp.c copies
; start_code there; the processor comes in real mode, at its first byte.

%include "hv.inc"			; from asm_offsets.c
%include "long_mode.inc"

%define AT(label) (START_PAGE + (label) - start_code)

extern hv_pml4, start_stack, processor_started
global start_code, start_code_end

section .rodata
bits 16
align 8
start_code:
	cli
	mov	ax, cs
	mov	ds, ax
	o32 lgdt [.gdtr - start_code]
	LONG_MODE			; straight from real mode
	jmp	dword 8:AT(.long)

bits 64
.long:	mov	rax, start_high
	jmp	rax

align 8
.gdt:	dq 0
	dq 0x00209b0000000000		; 64-bit code
.gdtr:	dw .gdtr - .gdt - 1
	dd AT(.gdt)
start_code_end:

section .text
start_high:
	xor	eax, eax
	mov	ds, eax
	mov	es, eax
	mov	ss, eax
	mov	fs, eax
	mov	gs, eax
	mov	rsp, [rel start_stack]
	call	processor_started
	ud2
