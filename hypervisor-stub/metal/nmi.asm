; SPDX-License-Identifier: GPL-2.0-only
;
; An NMI may be another processor's that ends the machine (host_stop_others()), or
; vmi-run's, which asks where everybody is: it has written so to
; the scratch register of the machine's UART, which is of no use to us and which
; no guest reaches. For both report_asked() is the end of this processor. Else it
; is the watchdog's (x86/entry.asm).

%include "hv.inc"
%include "regs.inc"

bits 64

extern exit_stubs, report_asked, host_alone
global nmi_entry

REPORT_PORT	equ 3f8h + 7
REPORT_ASKED	equ 57h			; as in vmi-run

section .text

nmi_entry:
	push	rax
	mov	eax, [host_alone]
	test	eax, eax
	jnz	.alone
	push	rdx
	mov	edx, REPORT_PORT
	in	al, dx
	cmp	al, REPORT_ASKED
	pop	rdx
	pop	rax
	jne	exit_stubs + NMI_VECTOR * 16
	; void report_asked(const struct regs *)
.end:	push	byte 0
	push	NMI_VECTOR
	sub	rsp, REGS_VECTOR
	SAVE_GPR
	cld
	mov	rdi, rsp
	call	report_asked

.alone:	dec	eax
	cmp	eax, [rsp + 8 + 5 * 8]	; the processor, above what was pushed
	pop	rax
	jne	.end
	iretq
