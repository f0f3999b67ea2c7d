; SPDX-License-Identifier: GPL-2.0-only
;
; Indirect branches of the hypervisor (x86/speculation.c). Here they are as they
; need to be on a processor that speculates: retpolines, a RET whose predicted
; target is a loop. Set-up replaces them by plain ones where that need not be.

bits 64

%include "plain.inc"

global fill_return_stack

section .text

; What gcc calls and jumps to for a branch to a register
; (-mindirect-branch=thunk-extern).
%macro THUNK 1
global __x86_indirect_thunk_%1
align 16
__x86_indirect_thunk_%1:
	call	%%out
%%loop:	pause
	lfence
	jmp	%%loop
%%out:	mov	[rsp], %1
	ret
	PLAIN	__x86_indirect_thunk_%1, jmp %1
%endmacro

THUNK rax
THUNK rbx
THUNK rcx
THUNK rdx
THUNK rsi
THUNK rdi
THUNK rbp
THUNK r8
THUNK r9
THUNK r10
THUNK r11
THUNK r12
THUNK r13
THUNK r14
THUNK r15

; void fill_return_stack(void)
; Predictions of 32 returns, to nowhere; more than any processor keeps.
align 16
fill_return_stack:
	mov	ecx, 16
.next:	call	.one
.loop1:	pause
	lfence
	jmp	.loop1
.one:	call	.two
.loop2:	pause
	lfence
	jmp	.loop2
.two:	dec	ecx
	jnz	.next
	add	rsp, 32 * 8
	lfence
	ret
