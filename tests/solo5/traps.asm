; SPDX-License-Identifier: GPL-2.0-only
; The way into trap() in lib.c: of each vector 16 bytes, at which an error code is
; on the stack, or is put there.
;
;	rsp	cr2, error, rip, cs, rflags, rsp, ss
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
	pop	rdi
	mov	rax, cr2
	push	rax
	mov	rsi, rsp
	and	rsp, -16
	call	trap
	ud2
