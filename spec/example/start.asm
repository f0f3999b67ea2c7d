; SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
;
; The example guest: where it begins, and where interrupts enter and leave.

	bits 32
	section .text

	align 4
	dd 0x1badb002, 0, -0x1badb002	; multiboot, for QEMU and GRUB

	global start, load_tables, timer_entry, fault_entry, iret_site
	extern guest_main, on_timer, on_fault

start:	cli				; once (VMI-1.12)
	cld
	mov esp, stack_end
	call guest_main

; load_tables(GDT pointer, IDT pointer)
load_tables:
	mov eax, [esp + 4]
	lgdt [eax]
	mov eax, [esp + 8]
	lidt [eax]
	jmp 0x08:.cs
.cs:	mov eax, 0x10			; RPL 0: the ring is not ours to choose
	mov ss, eax
	mov ds, eax
	mov es, eax
	ret

timer_entry:
	pushad
	cld
	call on_timer
	popad
iret_site:				; the one IRET (VMI-3.6.4)
	iretd				; or a jump to the ROM's, of 5 bytes
	times 4 nop

fault_entry:
	call on_fault

	section .bss nobits alloc write align=16
	resb 16384
stack_end:
