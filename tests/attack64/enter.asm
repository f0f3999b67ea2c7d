; SPDX-License-Identifier: GPL-2.0-only
;
; Code with any registers, or on any stack, in the kernel.

	bits 64
	default rel

%define KERNEL_CS	0x10

	extern fixup, fixup_vector, fixup_rsp

%macro BEGIN 0
	push rbx
	push rbp
	push r12
	push r13
	push r14
	push r15
	lea rax, [.after]
	mov [fixup], rax
	mov qword [fixup_vector], -1
	mov [fixup_rsp], rsp
%endmacro
%macro END 0
.after:	mov rsp, [fixup_rsp]
	mov qword [fixup], 0
	push KERNEL_CS | 1		; from whichever it was in
	lea rax, [.back]
	push rax
	o64 retf
.back:
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbp
	pop rbx
	push 2				; no flag of the code's
	popfq
	mov rax, [fixup_vector]
	ret
%endmacro

	section .text
	global attempt, with_rsp, landing
attempt:
	BEGIN
	mov [code], rdi
	mov rsp, rsi			; struct registers
	pop r15
	pop r14
	pop r13
	pop r12
	pop r11
	pop r10
	pop r9
	pop r8
	pop rdi
	pop rsi
	pop rbp
	pop rbx
	pop rdx
	pop rcx
	pop rax
	mov rsp, [fixup_rsp]
	call [code]
	mov [attempt_rax], rax
	END

with_rsp:
	BEGIN
	mov rsp, rsi
	mov rcx, rsi
	mov r11, rsi
	jmp rdi
	END

landing:
	int3
	ud2

	section .bss nobits alloc write align=16
code:	resq 1
	global attempt_rax
attempt_rax:
	resq 1
