; SPDX-License-Identifier: GPL-2.0-only
;
; Calls with all registers known, and stacks that have little room.

	bits 64
	default rel

%define VEC_SPARE	0x90

	extern do_iret, fixup, last_at, resume_rsp
	extern enter_kernel_stack

%macro PUSH_CALLEES 0
	push rbx
	push rbp
	push r12
	push r13
	push r14
	push r15
%endmacro
%macro POP_CALLEES 0
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbp
	pop rbx
%endmacro

; struct poison
%define P_RSP		(16 * 8)
%define P_RSP_AFTER	(17 * 8)
%define P_ENTRY		(18 * 8)

	section .text
	global poisoned_call
poisoned_call:
	PUSH_CALLEES
	mov [saved_rsp], rsp
	mov [saved_p], rdi
	mov rax, [rdi + P_ENTRY]
	mov [target], rax
	mov rax, [rdi + P_RSP]
	mov [target_rsp], rax
	mov rsp, rdi
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
	popfq
	mov rsp, [target_rsp]
	call [target]
	mov [target_rsp], rsp
	mov rsp, [saved_p]
	lea rsp, [rsp + 16 * 8]
	pushfq
	push rax
	push rcx
	push rdx
	push rbx
	push rbp
	push rsi
	push rdi
	push r8
	push r9
	push r10
	push r11
	push r12
	push r13
	push r14
	push r15
	mov rdi, rsp
	mov rsp, [saved_rsp]
	mov rax, [target_rsp]
	mov [rdi + P_RSP_AFTER], rax
	cld
	POP_CALLEES
	ret

	global iret_on
iret_on:
	PUSH_CALLEES
	mov [saved_rsp], rsp
	mov rax, rsp
	mov rsp, rdi
	add rsp, 40
	mov ecx, ss
	push rcx
	push rax
	push rsi
	mov ecx, cs
	push rcx
	lea rcx, [.here]
	push rcx
	jmp [do_iret]
.here:	pushfq
	pop rax
	cld
	mov rsp, [saved_rsp]
	POP_CALLEES
	ret

; struct user begins with 15 registers, which stay as they are here.
	global iret_user_on
iret_user_on:
	PUSH_CALLEES
	push rdi
	mov [resume_rsp], rsp
	push rdi
	push rsi
	mov rdi, rsp
	call enter_kernel_stack
	pop rsi
	pop rdi
	mov rsp, rdi
	add rsi, 15 * 8
	mov ecx, 5
	rep movsq
	jmp [do_iret]

	global event_on
event_on:
	PUSH_CALLEES
	mov [saved_rsp], rsp
	lea rax, [.after]
	mov [fixup], rax
	mov rsp, rdi
	ud2
.after:	mov rsp, [saved_rsp]
	mov qword [fixup], 0
	mov rax, [last_at]
	add rax, 17 * 8			; to the frame's rip
	POP_CALLEES
	ret

	global tight_event, tight_entry
tight_event:
	PUSH_CALLEES
	mov [saved_rsp], rsp
	mov rsp, rdi
	int VEC_SPARE
	ud2
tight_entry:
	mov rax, rsp
	mov rsp, [saved_rsp]
	POP_CALLEES
	ret

	section .bss nobits alloc write align=16
saved_rsp:	resq 1
saved_p:	resq 1
target:		resq 1
target_rsp:	resq 1
