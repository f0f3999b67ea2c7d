; SPDX-License-Identifier: GPL-2.0-only
;
; From STARTUP to processor_started() in long mode, with the tables of
; host_tables(), which map START_PAGE while processors start. smp.c copies
; start_code there; the processor comes in real mode, at its first byte.

%include "hv.inc"			; from asm_offsets.c

EFER		equ 0xc0000080
EFER_LME	equ 0x100
EFER_NXE	equ 0x800

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
	; Straight to long mode, with what boot.asm sets.
	mov	eax, 0x20		; CR4.PAE
	mov	cr4, eax
	mov	eax, hv_pml4 - IMAGE_BASE
	mov	cr3, eax
	mov	ecx, EFER
	mov	eax, EFER_LME | EFER_NXE
	xor	edx, edx
	wrmsr
	mov	eax, 0x80010033		; PG WP NE ET MP PE
	mov	cr0, eax
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
