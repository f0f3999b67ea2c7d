; SPDX-License-Identifier: GPL-2.0-only
; Where a further processor begins: it notes what its block has given it.

	bits 64
	default rel

	extern processor_loop

%macro NOTE 1-*
 %rep %0
	mov [noted + at], %1
  %assign at at + 8
  %rotate 1
 %endrep
%endmacro
%macro NOTE_SEGMENT 1-*
 %rep %0
	mov eax, %1
	NOTE rax
  %rotate 1
 %endrep
%endmacro

	section .text

	global processor_entry
processor_entry:
%assign at 0
	NOTE r15, r14, r13, r12, r11, r10, r9, r8
	NOTE rdi, rsi, rbp, rbx, rdx, rcx, rax, rsp
	pushfq
	pop rax
	NOTE rax
	rdfsbase rax
	NOTE rax
	rdgsbase rax
	NOTE rax
	NOTE_SEGMENT cs, ss, ds, es, fs, gs
	cld
	and rsp, -16
	lock inc dword [notes]
	call processor_loop

	section .bss nobits alloc write align=8
	global noted, notes
noted:	resb at
notes:	resd 1
