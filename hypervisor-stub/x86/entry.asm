; SPDX-License-Identifier: GPL-2.0-only
;
; Every way from the guest into the hypervisor and back.
;
; On the way in the guest's lock is taken (lock.h), and given back on the way out:
; the handlers of one guest run one at a time.
;
; The CPU switches to the vCPU's stack (TSS.RSP0, the top of it) and pushes
; ss, rsp, rflags, cs, rip and sometimes an error code; the code below
; completes struct regs (x86.h) and calls the vector's handler (exit.c). The
; guest is 32-bit: for it only bits 31-0 of eight registers exist, so r8-r15
; are free here. Segment registers are left alone: in 64-bit mode they mean
; nothing, and ring 1 or 3 finds its own again.

%include "hv.inc"			; offsets, from asm_offsets.c
%include "plain.inc"
%include "regs.inc"

bits 64
default rel

extern exit_handler, hv_fault, hv_iret_fault, hv_vm86, host_machine_check, cpus
extern enter_wide, vcpu_wait_lock, exit_stepped, __x86_indirect_thunk_rax, __x86_indirect_thunk_r11
global exit_stubs, step_stubs, vcpu_enter, vcpu_stop_exit, from_hypervisor, syscall_slow

section .text

; ---- one stub per vector, 16 bytes each -------------------------------------

; Vectors for which the CPU pushes an error code (SDM Vol. 3, 6.3.1).
%define HAS_ERROR(v) ((v) == 8 || ((v) >= 10 && (v) <= 14) || (v) == 17 || (v) == 21)

align 16
exit_stubs:
%assign v 0
%rep 256
	align 16
  %if v == SYSCALL_VECTOR
	jmp	syscall_entry
  %elif v == NMI_VECTOR
	jmp	nmi_exit
  ; On stacks of their own (host.h), where no registers of a guest are.
  %elif v == DF_VECTOR
	push	v
	jmp	from_hypervisor
  %elif v == MC_VECTOR
	cld
	push	rax
	call	host_machine_check
  %else
    %if !HAS_ERROR(v)
	push	byte 0
    %endif
	push	v
	jmp	exit_common
  %endif
%assign v v+1
%endrep

; The same while one instruction of the guest is executed (step.c): void
; exit_stepped(struct vcpu *, struct regs *) for the handler, and no fast way.
	align 16
step_stubs:
%assign v 0
%rep 256
	align 16
  %if !HAS_ERROR(v)
	push	byte 0
  %endif
	push	v
	jmp	step_common
%assign v v+1
%endrep

; The number of this processor, on a stack of ours (struct stack in host.h).
%macro PROCESSOR 1
	mov	%1, rsp
	or	%1, STACK_MASK
	mov	%1d, [%1 - 15]
%endmacro

; The lock of the guest (lock.h), which gives RDI, its vCPU; to the label if
; somebody has it, with the ticket in ESI.
%macro TAKE_LOCK 1
	mov	rdi, [rsp + REGS_VCPU]
	mov	rax, [rsp + REGS_LOCK]
	mov	esi, 1
	lock xadd [rax + LOCK_NEXT], esi
	cmp	esi, [rax + LOCK_OWNER]
	jne	%1
%endmacro

; In virtual-8086 mode CS is no selector and has no ring: VM is looked at first.
align 16
exit_common:
	test	byte [rsp + FRAME_RFLAGS + 2], EFLAGS_VM >> 16
	jnz	vm86
	test	byte [rsp + FRAME_CS], 3
	jz	from_hypervisor
	sub	rsp, REGS_VECTOR
	SAVE_GPR
	cld
	TAKE_LOCK .wait
.locked:
	mov	eax, [rsp + REGS_VECTOR]
	mov	rsi, rsp
	inc	qword [rdi + VCPU_EXITS + rax * 8]
exit_call:
	call	exit_by_vector
	o16 nop
exit_handled:
	cmp	dword [rsp + REGS_STOP], 0
	jne	stop

%define LAR_B	22			; a descriptor's D/B, as LAR gives it

enter:
	mov	r8, [rsp + REGS_LOCK]
	inc	dword [r8 + LOCK_OWNER]
	mov	eax, [rsp + REGS_GPR + 0 * 8]
	mov	ecx, [rsp + REGS_GPR + 1 * 8]
	mov	edx, [rsp + REGS_GPR + 2 * 8]
	mov	ebx, [rsp + REGS_GPR + 3 * 8]
	mov	ebp, [rsp + REGS_GPR + 5 * 8]
	mov	esi, [rsp + REGS_GPR + 6 * 8]
	mov	edi, [rsp + REGS_GPR + 7 * 8]
	lar	r8d, [rsp + REGS_SS]
	bt	r8d, LAR_B
	jnc	espfix
	add	rsp, REGS_RIP
guest_iret:
	iretq

; void vcpu_wait_lock(struct vcpu *, uint32_t ticket)
exit_common.wait:
	call	vcpu_wait_lock
	mov	rdi, [rsp + REGS_VCPU]
	jmp	exit_common.locked

step_common:
	test	byte [rsp + FRAME_RFLAGS + 2], EFLAGS_VM >> 16
	jnz	vm86
	test	byte [rsp + FRAME_CS], 3
	jz	from_hypervisor
	sub	rsp, REGS_VECTOR
	SAVE_GPR
	cld
	TAKE_LOCK .wait
.locked:
	mov	eax, [rsp + REGS_VECTOR]
	mov	rsi, rsp
	inc	qword [rdi + VCPU_EXITS + rax * 8]
	call	exit_stepped
	jmp	exit_handled
.wait:	call	vcpu_wait_lock
	mov	rdi, [rsp + REGS_VCPU]
	jmp	.locked

; To a stack segment of 16 bits IRETQ loads SP alone: bits 31-16 of ESP would
; stay ours. So the frame goes to where ours are the same (espfix.c). Also taken
; for a selector that LAR refuses, and then IRETQ.
espfix:
	PROCESSOR r8
	shl	r8d, ESPFIX_SHIFT
	mov	r9, ESPFIX_FRAME
	add	r8, r9
	mov	r9d, [rsp + REGS_RSP]
	and	r9d, 0xffff0000
	or	r8, r9
%assign i 0
%rep 5
	mov	r9, [rsp + REGS_RIP + i * 8]
	mov	[r8 + i * 8], r9
  %assign i i+1
%endrep
	mov	rsp, r8
espfix_iret:
	iretq

; As a processor that speculates needs it; else the call is the branch. rax is
; the vector.
align 16
exit_by_vector:
	mov	rax, [abs exit_handler + rax * 8]
	jmp	__x86_indirect_thunk_rax
	PLAIN	exit_call, call [abs exit_handler + rax * 8]

; ---- from the scheduler and back ------------------------------------------------

; enum stop vcpu_enter(struct regs *)
; What C expects to be preserved is left on the caller's stack (System V ABI).
vcpu_enter:
	push	rbx
	push	rbp
	push	r12
	push	r13
	push	r14
	push	r15
	mov	[rdi + REGS_CALLER], rsp
	mov	rsp, rdi
	mov	rax, [rdi + REGS_VCPU]
	cmp	byte [rax + VCPU_WIDE], 0
	jne	enter_wide
	jmp	enter

vcpu_stop_exit:
stop:
	xor	eax, eax
	xchg	eax, [rsp + REGS_STOP]
	mov	rsp, [rsp + REGS_CALLER]
	pop	r15
	pop	r14
	pop	r13
	pop	r12
	pop	rbp
	pop	rbx
	; A RET would go where the guest's last CALL predicts.
	pop	r11
	jmp	__x86_indirect_thunk_r11

; ---- interrupted ourselves --------------------------------------------------

; An interrupt while waiting for one, a fault at an instruction of the
; exception table, or a bug: void hv_fault(struct hv_frame *).
from_hypervisor:
	push	rax
%macro IF_AT 2
	lea	rax, [%1]
	cmp	rax, [rsp + 8 + FRAME_RIP]
	je	%2
%endmacro
	IF_AT	guest_iret, .iret
	IF_AT	espfix_iret, .iret
	IF_AT	syscall_iret, .iret
	IF_AT	nmi_iret, .iret
	push	rcx
	push	rdx
	push	rsi
	push	rdi
	push	r8
	push	r9
	push	r10
	push	r11
	cld
	mov	rdi, rsp
	call	hv_fault
	pop	r11
	pop	r10
	pop	r9
	pop	r8
	pop	rdi
	pop	rsi
	pop	rdx
	pop	rcx
	pop	rax
	add	rsp, FRAME_RIP
	iretq

	; The CPU refused the guest's cs, eip or ss. The registers are the
	; guest's already, and the new frame may lie over their place in struct
	; regs: build it again, with what IRETQ was to load, wherever that was.
	; void hv_iret_fault(struct regs *).
.iret:
	pop	rax
	mov	r8, [rsp + FRAME_VECTOR]
	mov	r9, [rsp + FRAME_ERROR]
	mov	r10, [rsp + FRAME_RSP]
	mov	r11, rsp
	shr	r11, 32
	cmp	r11d, (ESPFIX_FRAME >> 32) & 0xffffffff
	je	.slice
	PROCESSOR r11
	jmp	.vcpu
.slice:	mov	r11d, esp		; espfix
	shr	r11d, ESPFIX_SHIFT
	and	r11d, HOST_CPUS - 1
.vcpu:	imul	r11d, r11d, CPU_SIZE
	mov	r11, [abs r11 + cpus + CPU_VCPU]
	mov	rsp, [r11 + VCPU_REGS]
%assign i 0
%rep 5
	mov	r11, [r10 + i * 8]
	mov	[rsp + REGS_RIP + i * 8], r11
  %assign i i+1
%endrep
	SAVE_GPR
	mov	[rsp + REGS_VECTOR], r8
	mov	[rsp + REGS_ERROR], r9
	cld
	TAKE_LOCK .iret_wait
.iret_locked:
	mov	rdi, rsp
	call	hv_iret_fault
	jmp	exit_handled
.iret_wait:
	call	vcpu_wait_lock
	jmp	.iret_locked

; ---- virtual-8086 mode --------------------------------------------------------

; An NMI may come anywhere, in the hypervisor too. It looks for this mode
; (watchdog.c).
nmi_exit:
	test	byte [rsp + 16 + 2], EFLAGS_VM >> 16	; rflags
	jnz	nmi_vm86
	test	byte [rsp + 8], 3			; cs
	jz	nmi_iret
	lar	r8d, [rsp + 32]				; ss
	bt	r8d, LAR_B
	jc	nmi_iret
	sub	rsp, REGS_RIP
	jmp	espfix
nmi_iret:
	iretq
nmi_vm86:
	push	byte 0
	push	NMI_VECTOR

; void hv_vm86(struct regs *), on the vCPU's own stack, which an NMI is not on.
vm86:
	PROCESSOR r8
	imul	r8d, r8d, CPU_SIZE
	mov	r8, [abs r8 + cpus + CPU_VCPU]
	mov	r8, [r8 + VCPU_REGS]
%assign i 0
%rep 7
	mov	r9, [rsp + i * 8]
	mov	[r8 + REGS_VECTOR + i * 8], r9
  %assign i i+1
%endrep
	mov	rsp, r8
	SAVE_GPR
	cld
	TAKE_LOCK .wait
.locked:
	mov	rdi, rsp
	call	hv_vm86
	jmp	exit_handled
.wait:	call	vcpu_wait_lock
	jmp	.locked

; ---- system calls -----------------------------------------------------------

; "int 80h" from user mode to a gate of the guest with DPL 3: move ss, esp,
; eflags, cs and eip to the guest's kernel stack and go to its handler.
; Anything else is left to the handlers in exit.c. Nothing of the guest's is
; lost if the stack cannot be written: what lies below esp0 is free.
align 16
syscall_entry:
	test	byte [rsp + 8], 2	; cs: ring 3, not 1
	jz	syscall_slow
	test	byte [rsp + 16 + 2], EFLAGS_VM >> 16
	jnz	syscall_slow
	mov	r8, [rsp + REGS_VCPU - REGS_RIP]
	cmp	byte [r8 + VCPU_SYSCALL_DPL], 3
	jne	syscall_slow
	mov	r9, [r8 + VCPU_SH]
	mov	r10d, [r9 + STUB_SHARED_ESP0]
	sub	r10d, 20
	cmp	r10d, [r8 + VCPU_STACK_LIMIT]
	ja	syscall_slow
	mov	r11d, [rsp + 0]
.eip:	mov	[r10 + 0], r11d
	mov	r11d, [rsp + 8]
.cs:	mov	[r10 + 4], r11d
	mov	r11d, [rsp + 16]
	or	r11d, [r8 + VCPU_IOPL]
.flags:	mov	[r10 + 8], r11d
	mov	r11d, [rsp + 24]
.esp:	mov	[r10 + 12], r11d
	mov	r11d, [rsp + 32]
.ss:	mov	[r10 + 16], r11d
	test	byte [r8 + VCPU_SYSCALL_GATE + GATE_TYPE], 1
	jnz	.trap_gate
	and	byte [r9 + STUB_SHARED_FLAGS + 1], ~(STUB_IF >> 8)
.trap_gate:
	mov	r11d, [r8 + VCPU_SYSCALL_GATE + GATE_RIP]
	mov	[rsp + 0], r11
	movzx	r11d, word [r8 + VCPU_SYSCALL_GATE + GATE_CS]
	mov	[rsp + 8], r11
	and	dword [rsp + 16], ~(EFLAGS_GATE_CLEARS | EFLAGS_IOPL)
	mov	[rsp + 24], r10
	mov	r11d, [r9 + STUB_SHARED_SS0]
	mov	[rsp + 32], r11
	inc	qword [r8 + VCPU_EXITS + SYSCALL_VECTOR * 8]
syscall_iret:
	iretq

syscall_slow:
	push	byte 0
	push	SYSCALL_VECTOR
	jmp	exit_common

section extable progbits alloc noexec nowrite align=8
	dq syscall_entry.eip, syscall_slow
	dq syscall_entry.cs, syscall_slow
	dq syscall_entry.flags, syscall_slow
	dq syscall_entry.esp, syscall_slow
	dq syscall_entry.ss, syscall_slow
