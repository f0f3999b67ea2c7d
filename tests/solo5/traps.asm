; SPDX-License-Identifier: GPL-2.0-only
; The way into trap() in lib.c: of each vector 16 bytes, at which an error code is
; on the stack, or is put there. Then, from the top of the stack on:
;
;	ss, rsp, rflags, cs, rip, error
;	rax, rdi, rsi, rdx, rcx, r8 to r11
;	ss, rsp, rflags, cs, rip, error, cr2: struct trap
bits 64

extern trap
global trap_stubs

%define HAS_ERROR 0x00027d00		; vectors 8, 10 to 14, 17

section .text
align 16
trap_stubs:
%assign vector 0
%rep 21
align 16
%if (HAS_ERROR >> vector) & 1 == 0
	push	0
%endif
	push	vector
	jmp	near every_trap
%assign vector vector + 1
%endrep

every_trap:
	cld
	xchg	rax, [rsp]		; the vector; of RAX
	push	rdi
	push	rsi
	push	rdx
	push	rcx
	push	r8
	push	r9
	push	r10
	push	r11
	mov	rdi, rax
	mov	rax, cr2
	push	qword [rsp + 14 * 8]	; ss
	push	qword [rsp + 14 * 8]	; rsp
	push	qword [rsp + 14 * 8]	; rflags
	push	qword [rsp + 14 * 8]	; cs
	push	qword [rsp + 14 * 8]	; rip
	push	qword [rsp + 14 * 8]	; error
	push	rax			; cr2
	mov	rsi, rsp
	call	trap			; comes back from INT3 alone
	add	rsp, 7 * 8
	pop	r11
	pop	r10
	pop	r9
	pop	r8
	pop	rcx
	pop	rdx
	pop	rsi
	pop	rdi
	pop	rax
	add	rsp, 8
	iretq
