; SPDX-License-Identifier: GPL-2.0-only
;
; From the entry of multiboot or multiboot2 (32-bit, flat, paging off; eax =
; magic, ebx = info) to hv_main() in long mode, above 4 GB.

%include "hv.inc"			; from asm_offsets.c
%include "long_mode.inc"

MB_MAGIC	equ 0x1badb002
MB_FLAGS	equ 0x00000003		; page-aligned modules, memory map
MB2_MAGIC	equ 0xe85250d6
MB2_I386	equ 0

PG_P		equ 0x001
PG_W		equ 0x002
PG_PS		equ 0x080
PG_G		equ 0x100
PG_NX_HIGH	equ 0x80000000		; in the upper half of an entry

extern hv_main, stacks
global boot_start, hv_pml4, direct_pd, image_pdpt, image_pd, stack_pt

; The first one (host.h). Its processor's number, 0, is above it.
%define BOOT_STACK_TOP	(stacks + STACK_STRIDE - 16)
%define BOOT_STACK_SIZE	(STACK_STRIDE - 4096)

%define PHYS(sym) ((sym) - IMAGE_BASE)

section .multiboot progbits alloc noexec nowrite align=8
	dd MB_MAGIC, MB_FLAGS, -(MB_MAGIC + MB_FLAGS)

	; For GRUB, which tells on UEFI machines only in this way where ACPI's
	; tables are. All that it may tell it tells unasked (multiboot.c).
	align 8
mb2_header:
	dd MB2_MAGIC, MB2_I386, .end - mb2_header
	dd -(MB2_MAGIC + MB2_I386 + (.end - mb2_header)) & 0xffffffff
	dw 0, 0				; the last tag
	dd 8
.end:

section .boot progbits alloc exec nowrite align=16
bits 32
boot_start:
	cld
	cli
	mov	esp, PHYS(boot_stack) + BOOT_STACK_SIZE
	mov	edi, eax		; magic
	mov	esi, ebx		; info

	; Without long mode there is nothing to do, and nobody to tell but
	; the debug port.
	mov	eax, 0x80000000
	cpuid
	cmp	eax, 0x80000001
	jb	.no_long_mode
	mov	eax, 0x80000001
	cpuid
	bt	edx, 29
	jnc	.no_long_mode
	bt	edx, 20
	jnc	.no_long_mode

	; Direct map: DIRECT_GB page directories of 2 MB pages.
	mov	ebx, PHYS(direct_pd)
	mov	eax, PG_P | PG_W | PG_PS | PG_G
	xor	edx, edx
	mov	ecx, DIRECT_GB * 512
.fill:	mov	[ebx], eax
	mov	[ebx + 4], edx
	add	ebx, 8
	add	eax, 0x200000
	adc	edx, 0
	loop	.fill

	mov	ebx, PHYS(direct_pdpt)
	mov	eax, PHYS(direct_pd) + (PG_P | PG_W)
	mov	ecx, DIRECT_GB
.link:	mov	[ebx], eax
	add	ebx, 8
	add	eax, 4096
	loop	.link

	; The image: the same first 2 MB at -2 GB. While booting also at 0. What may
	; be written and executed there is map.c's.
	mov	dword [PHYS(image_pd)], PG_P | PG_W | PG_PS | PG_G
	mov	eax, PHYS(image_pd) + (PG_P | PG_W)
	mov	[PHYS(image_pdpt) + 510 * 8], eax

	; Stacks: 4 MB behind it; so far there is one.
	mov	eax, PHYS(stack_pt) + (PG_P | PG_W)
	mov	[PHYS(image_pd) + 2 * 8], eax
	add	eax, 4096
	mov	[PHYS(image_pd) + 3 * 8], eax
	mov	ebx, PHYS(stack_pt) + 8		; above its guard page
	mov	eax, PHYS(boot_stack) + (PG_P | PG_W | PG_G)
	mov	ecx, BOOT_STACK_SIZE / 4096
.stack:	mov	[ebx], eax
	mov	dword [ebx + 4], PG_NX_HIGH
	add	ebx, 8
	add	eax, 4096
	loop	.stack

	mov	eax, PHYS(direct_pdpt) + (PG_P | PG_W)
	mov	[PHYS(hv_pml4)], eax
	mov	[PHYS(hv_pml4) + 256 * 8], eax
	mov	eax, PHYS(image_pdpt) + (PG_P | PG_W)
	mov	[PHYS(hv_pml4) + 511 * 8], eax

	LONG_MODE
	lgdt	[boot_gdtr]
	jmp	8:.long

.no_long_mode:
	mov	ebx, .message
.put:	mov	al, [ebx]
	inc	ebx
	out	0xe9, al
	test	al, al
	jnz	.put
	mov	al, 3			; isa-debug-exit: bad boot input
	out	0xf4, al
.stop:	hlt
	jmp	.stop
.message:
	db "error: this CPU has no long mode with NX", 10, 0

bits 64
.long:	mov	rax, .high
	jmp	rax

section .text
.high:	mov	eax, 16
	mov	ds, eax
	mov	es, eax
	mov	ss, eax
	xor	eax, eax
	mov	fs, eax
	mov	gs, eax
	mov	rsp, BOOT_STACK_TOP
	mov	qword [hv_pml4], 0	; nothing of ours below 4 GB from here on
	mov	rax, cr3
	mov	cr3, rax
	mov	edi, edi
	mov	esi, esi
	call	hv_main
	ud2

section .boot
align 8
boot_gdt:
	dq 0
	dq 0x00209b0000000000		; 64-bit code
	dq 0x0000930000000000		; data
boot_gdtr:
	dw boot_gdtr - boot_gdt - 1
	dd boot_gdt

section .bss
alignb 4096
hv_pml4:	resb 4096
direct_pdpt:	resb 4096
image_pdpt:	resb 4096
image_pd:	resb 4096
stack_pt:	resb 2 * 4096
boot_stack:	resb BOOT_STACK_SIZE
direct_pd:	resb 4096 * DIRECT_GB
