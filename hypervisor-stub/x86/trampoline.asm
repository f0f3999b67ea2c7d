; SPDX-License-Identifier: GPL-2.0-only
;
; Every way from a wide guest into the hypervisor and back (wide.h). The first
; section runs in the guest's address space too, at ring 0: what its rules are
; good for is in spec/security.md. It uses no FS, no GS, no indirect branch and no
; RET before CR3 is ours, and of what the guest can write it reads nothing but
; what the processor or it has pushed since the guest was left.

%include "hv.inc"			; offsets, from asm_offsets.c
%include "plain.inc"

bits 64
default rel

extern exit_handler_wide, exit_stepped, drain_fault, drain_call
extern wide_iret_fault, wide_nmi, host_machine_check, hv_fault
extern from_hypervisor, vcpu_wait_lock, vcpu_stop_exit, __x86_indirect_thunk_rax
global tramp_start, tramp_syscall, tramp_syscall32, tramp_iret, tramp_end
global tramp_fault_iret, tramp_drain_iret
global enter_wide, tramp_step

; What lies behind the text in the trampoline, whose pages are contiguous.
%define PAGE_OF(page)	tramp_start + (page) * 4096
%define CONSTANT(field)	PAGE_OF(TRAMP_CONSTANTS) + CONSTANTS_%+field
%define ENTRY(at)	PAGE_OF(TRAMP_ENTRY) + (at)
%define HOST(field)	ENTRY(4096 - HOST_BYTES + HOST_%+field)
%define SHARED(field)	PAGE_OF(TRAMP_SHARED) + SHARED64_%+field

; To a place in the image, or from there, which no near branch reaches, with our
; tables loaded. As a retpoline: a RET without its CALL would be predicted by one of
; the guest's, whose kernel may have code at addresses that ours has.
%macro FAR_JUMP 1
	call	%%out
%%loop:	pause
	lfence
	jmp	%%loop
%%out:	push	qword %1
	pop	qword [rsp]
	ret
%endmacro

; With our tables, and the vCPU's stack, to where registers are saved.
%macro LEAVE 1
	test	byte [rsp + FRAME_CS], 3
	jz	own
	push	rax
	mov	rax, [CONSTANT(HOST_CR3)]
	mov	cr3, rax
	mov	rax, rsp
	mov	rsp, [HOST(REGS)]
	FAR_JUMP %1
%endmacro

%macro POP_SCRATCH 0
	pop	r11
	pop	r10
	pop	r9
	pop	r8
	pop	rdi
	pop	rsi
	pop	rdx
	pop	rcx
	pop	rax
%endmacro

; For what needs none of the guest's registers: bool %1(struct vcpu *), with the guest's
; lock, answers whether that is all; else all is as it was at the exit, and this
; goes on below. In the entry page is struct brief_frame meanwhile: registers that C
; does not keep, and the frame, which is the way back as it is.
%macro BRIEFLY 1
	push	rax
	push	rcx
	push	rdx
	push	rsi
	push	rdi
	push	r8
	push	r9
	push	r10
	push	r11
	mov	rax, [CONSTANT(HOST_CR3)]
	mov	cr3, rax
	mov	rsp, [HOST(REGS)]
	cld
	mov	rdi, [rsp + REGS_VCPU]
	mov	rax, [rsp + REGS_LOCK]
	mov	esi, 1
	lock xadd [rax + LOCK_NEXT], esi
	cmp	esi, [rax + LOCK_OWNER]
	jne	%%wait
%1_call:
	call	%%far
	o16 nop
	mov	rcx, [rsp + REGS_LOCK]
	mov	rdx, [rsp + REGS_VCPU]
	inc	dword [rcx + LOCK_OWNER]
	mov	rdx, [rdx + VCPU_PML4]
	lea	rsp, [ENTRY(BRIEF_FRAME)]
	mov	cr3, rdx
	test	al, al
	jnz	brief_end
	POP_SCRATCH
	jmp	%%out
%%wait:	call	%%wait_far
	mov	rdi, [rsp + REGS_VCPU]
	jmp	%1_call
%%far:	FAR_JUMP [abs %1_at]
%%wait_far:
	FAR_JUMP [abs vcpu_wait_lock_at]
	PLAIN	%1_call, call [abs %1_at]
section .tramp
%%out:
%endmacro

section .tramp progbits alloc exec nowrite align=4096

tramp_start:
%assign v 0
%rep 256
	align 16
  %if v == DB_VECTOR
	jmp	debug
  %elif v == NMI_VECTOR
	jmp	nmi
  %elif v == MC_VECTOR
	jmp	machine_check
  %elif v == PF_VECTOR
	jmp	page_fault
  %elif v == STUB_VECTOR
	push	byte 0
	jmp	hypercall
  %else
    %if !(v == 8 || (v >= 10 && v <= 14) || v == 17 || v == 21)
	push	byte 0
    %endif
	push	v
	jmp	exit
  %endif
%assign v v+1
%endrep

	align 16
exit:
	LEAVE	exit_wide

; STUB64-11: a page fault in user mode that the guest's own tables raise goes to its handler
; from here: something is absent, or a page cannot be written. This reads its tables
; where the guest has said that they are, and writes the frame to its stack, both
; by linear addresses that ring 1 may use as we do: ring 0 has no more rights in
; its tables. What cannot be read or written, and all that is not as simple, is for
; the hypervisor, as if nobody had looked.
	align 16
page_fault:
	test	byte [rsp + 16], 2		; CS
	jz	.exit
	cmp	dword [SHARED(TAIL)], -STUB_QUEUE_LEN
	jne	.queued
	push	rax
	push	rcx
	push	rdx
	cmp	qword [CONSTANT(FAULT_RIP)], 0
	je	.not_here
	cmp	qword [SHARED(LAZY_MODE)], 0	; and deferred
	jne	.not_here
	mov	rcx, cr2
	mov	[ENTRY(ENTRY_SCRATCH)], rcx
	mov	rax, [SHARED(CR3)]
	shl	rcx, 16				; bits 47 to 39 first
	js	.not_here
page_fault_walk:				; what faults ends at .not_here
%assign level 4
%rep 4
	and	rax, [CONSTANT(PTE_ADDR)]
	cmp	rax, [SHARED(DIRECT_BYTES)]
	jae	page_fault.not_here
	mov	rdx, rcx
	shr	rdx, 55
	add	rax, [SHARED(DIRECT_VA)]
	mov	rax, [rax + rdx * 8]
  %if level > 1
	xor	al, PTE_P
	test	al, PTE_P | PTE_PS
	jnz	.ends
	shl	rcx, 9
  %else
	test	al, PTE_P
	jz	.absent
  %endif
  %assign level level - 1
%endrep
	mov	edx, [rsp + 24]			; the error code
	test	al, PTE_W
	jnz	page_fault.not_here
	test	dl, PF_W
	jz	page_fault.not_here
	test	rax, [CONSTANT(PTE_BEYOND)]
	jnz	page_fault.not_here
	and	edx, PF_W | PF_U | PF_I
	or	edx, PF_P
	jmp	.deliver
.ends:	test	al, PTE_P			; turned over
	jz	page_fault.not_here
.absent:
	mov	edx, [rsp + 24]
	and	edx, PF_W | PF_U | PF_I
.deliver:
	mov	rax, [SHARED(RSP0)]
	and	rax, -16
	mov	[rax - 48], rdx
	mov	rcx, [rsp + 32]			; rip
	mov	[rax - 40], rcx
	mov	rcx, [rsp + 40]			; cs
	mov	[rax - 32], rcx
	mov	ecx, [PAGE_OF(TRAMP_SHARED) + STUB_SHARED_FLAGS]
	or	ecx, ~EFLAGS_IF
	and	ecx, [rsp + 48]			; rflags; IF is always on
	mov	[rax - 24], rcx
	mov	rcx, [rsp + 56]			; rsp
	mov	[rax - 16], rcx
	mov	rcx, [rsp + 64]			; ss
	mov	[rax - 8], rcx
page_fault_told:
	mov	rcx, [ENTRY(ENTRY_SCRATCH)]
	mov	[SHARED(CR2)], rcx
	and	byte [PAGE_OF(TRAMP_SHARED) + STUB_SHARED_FLAGS + 1], ~(STUB_IF >> 8)
	sub	rax, 48
	mov	[rsp + 56], rax
	mov	rax, [CONSTANT(FAULT_RIP)]
	mov	[rsp + 32], rax
	mov	rax, [CONSTANT(FAULT_CS)]
	mov	[rsp + 40], rax
	; The guest's frame may have come over this one, if its stack is said to be here:
	; of what is there then no IOPL is taken, and IF is always on.
	and	qword [rsp + 48], EFLAGS_USER_OWN
	or	qword [rsp + 48], EFLAGS_IF
	mov	qword [rsp + 64], 1		; null, at its ring
	pop	rdx
	pop	rcx
	pop	rax
	add	rsp, 8
tramp_fault_iret:
	iretq

page_fault.not_here:
	pop	rdx
	pop	rcx
	pop	rax
page_fault.exit:
	push	PF_VECTOR
	jmp	exit

; What is queued is why, most likely. If it was not, the fault comes again.
page_fault.queued:
	BRIEFLY	drain_fault
	jmp	page_fault.exit

hypercall:
	cmp	eax, STUB_HC_DRAIN
	jne	hypercall_exit
	test	byte [rsp + 16], 3		; CS
	jz	hypercall_exit
	BRIEFLY	drain_call
hypercall_exit:
	push	STUB_VECTOR
	jmp	exit

brief_end:
	POP_SCRATCH
	add	rsp, 8
tramp_drain_iret:
	iretq

; Interrupted at ring 0. Here it is page_fault, for which its own fault is none, or
; one of the IRETQ: the processor refused where the guest was to go on. Else it
; is in the image, with our tables.
own:
	push	rax
	mov	eax, [rsp + 8 + FRAME_RIP + 4]
	cmp	eax, TRAMP_HIGH
	mov	rax, [CONSTANT(HOST_CR3)]
	je	.here
	pop	rax
	FAR_JUMP from_hypervisor
.here:	mov	eax, [rsp + 8 + FRAME_RIP]
	sub	eax, page_fault_walk - tramp_start
	cmp	eax, page_fault_told - page_fault_walk
	jb	.look
	mov	rax, [CONSTANT(HOST_CR3)]
	mov	cr3, rax
	mov	rax, rsp
	mov	rsp, [HOST(REGS)]
	FAR_JUMP iret_fault
.look:	mov	rax, [ENTRY(ENTRY_SCRATCH)]
	mov	cr2, rax
	mov	rsp, [rsp + 8 + FRAME_RSP]
	jmp	page_fault.not_here

; It may come anywhere, at the first instruction of SYSCALL above all: MOV SS
; puts off a breakpoint (SDM Vol. 3, 6.8.3). There it is dropped.
debug:
	test	byte [rsp + 8], 3
	jz	.own
	push	byte 0
	push	DB_VECTOR
	jmp	exit
.own:	and	dword [rsp + 16], ~EFLAGS_TF
	or	dword [rsp + 16], EFLAGS_RF
	push	rax
	mov	eax, DR6_FIXED		; none of its breakpoints is left there
	mov	dr6, rax
	pop	rax
	iretq

; It may come anywhere, with either tables.
nmi:
	push	rax
	push	rbx
	mov	rbx, cr3
	mov	rax, [CONSTANT(HOST_CR3)]
	mov	cr3, rax
	mov	rax, rsp
	mov	rsp, [HOST(NMI_STACK)]
	FAR_JUMP nmi_in_image
nmi_back:
	mov	rsp, rax
	mov	cr3, rbx
	pop	rbx
	pop	rax
	iretq

machine_check:
	mov	rax, [CONSTANT(HOST_CR3)]
	mov	cr3, rax
	mov	rsp, [HOST(MC_STACK)]
	FAR_JUMP host_machine_check

; To the guest's own entry, at its ring, with its stack and RCX and R11 as SYSCALL
; leaves them. That it came from user mode nobody says.
%macro SYSCALL_ENTRY 1
	mov	[ENTRY(ENTRY_SCRATCH)], rsp
	lea	rsp, [ENTRY(ENTRY_TOP)]
	push	qword [CONSTANT(SYSCALL_SS)]
	push	qword [ENTRY(ENTRY_SCRATCH)]
	pushfq
	or	dword [rsp], EFLAGS_IF
	push	qword [CONSTANT(SYSCALL_CS)]
	push	qword [CONSTANT(%1)]
	and	byte [PAGE_OF(TRAMP_SHARED) + STUB_SHARED_FLAGS + 1], ~(STUB_IF >> 8)
	iretq
%endmacro
	align 16
tramp_syscall:
	SYSCALL_ENTRY LSTAR
	align 16
tramp_syscall32:
	SYSCALL_ENTRY CSTAR

; RAX: the guest's CR3.
	align 16
enter:
	lea	rsp, [ENTRY(ENTRY_TOP - 6 * 8)]
	mov	cr3, rax
	pop	rax
tramp_iret:
	iretq

; While one instruction of the guest is executed (step.c), from the stubs below.
	align 16
exit_step:
	LEAVE	exit_wide_step
debug_step:
	test	byte [rsp + 8], 3
	jz	debug.own
	push	byte 0
	push	DB_VECTOR
	jmp	exit_step
	align	4096
tramp_end:

; Mapped as page TRAMP_STEP of the trampoline, so further from the text than here.
%define STEP_FURTHER	((TRAMP_STEP - 2) * 4096)
tramp_step:
%assign v 0
%rep 256
	align 16
  %if v == DB_VECTOR
	jmp	debug_step - STEP_FURTHER
  %else
    %if !(v == 8 || (v >= 10 && v <= 14) || v == 17 || v == 21)
	push	byte 0
    %endif
	push	v
	jmp	exit_step - STEP_FURTHER
  %endif
%assign v v+1
%endrep

; ---- in the image, with our tables ----------------------------------------------

section .text

; In the entry page, above what RAX points to: of the one that was interrupted rax,
; then vector, error, rip, cs, rflags, rsp, ss.
%macro SAVE_WIDE 0
	mov	[rsp + REGS_GPR + 1 * 8], rcx
	mov	[rsp + REGS_GPR + 2 * 8], rdx
	mov	[rsp + REGS_GPR + 3 * 8], rbx
	mov	[rsp + REGS_GPR + 5 * 8], rbp
	mov	[rsp + REGS_GPR + 6 * 8], rsi
	mov	[rsp + REGS_GPR + 7 * 8], rdi
	mov	[rsp + REGS_GPR + 8 * 8], r8
	mov	[rsp + REGS_GPR + 9 * 8], r9
	mov	[rsp + REGS_GPR + 10 * 8], r10
	mov	[rsp + REGS_GPR + 11 * 8], r11
	mov	[rsp + REGS_GPR + 12 * 8], r12
	mov	[rsp + REGS_GPR + 13 * 8], r13
	mov	[rsp + REGS_GPR + 14 * 8], r14
	mov	[rsp + REGS_GPR + 15 * 8], r15
	mov	rdi, [rsp + REGS_VCPU]
	and	eax, 4095
	add	rax, [rdi + VCPU_ENTRY]
	mov	rcx, [rax]
	mov	[rsp + REGS_GPR], rcx
	mov	rcx, [rax + 8]
	mov	[rsp + REGS_VECTOR], rcx
	mov	rcx, [rax + 16]
	mov	[rsp + REGS_ERROR], rcx
%endmacro

; And where it was.
%macro SAVE_WIDE_FRAME 0
	mov	rcx, [rax + 24]
	mov	[rsp + REGS_RIP], rcx
	mov	rcx, [rax + 32]
	mov	[rsp + REGS_CS], rcx
	mov	rcx, [rax + 40]
	mov	[rsp + REGS_RFLAGS], rcx
	mov	rcx, [rax + 48]
	mov	[rsp + REGS_RSP], rcx
	mov	rcx, [rax + 56]
	mov	[rsp + REGS_SS], rcx
%endmacro

; The lock of the guest; RDI is its vCPU. As in entry.asm.
%macro TAKE_LOCK_WIDE 0
	mov	rax, [rsp + REGS_LOCK]
	mov	esi, 1
	lock xadd [rax + LOCK_NEXT], esi
	cmp	esi, [rax + LOCK_OWNER]
	je	%%locked
	call	vcpu_wait_lock
	mov	rdi, [rsp + REGS_VCPU]
%%locked:
%endmacro

	align 16
exit_wide:
	SAVE_WIDE
	SAVE_WIDE_FRAME
	cld
	TAKE_LOCK_WIDE
	mov	eax, [rsp + REGS_VECTOR]
	mov	rsi, rsp
	inc	qword [rdi + VCPU_EXITS + rax * 8]
wide_exit_call:
	call	wide_exit_by_vector
	o16 nop
wide_handled:
	cmp	dword [rsp + REGS_STOP], 0
	jne	vcpu_stop_exit

; With what struct regs has, which our handlers made such that no IRETQ of ours
; does more than it should (wide.c, wide_frame()).
enter_wide:
	mov	r8, [rsp + REGS_LOCK]
	inc	dword [r8 + LOCK_OWNER]
	mov	rdi, [rsp + REGS_VCPU]
	mov	rdx, [rdi + VCPU_ENTRY]
%assign i 0
%rep 5
	mov	rax, [rsp + REGS_RIP + i * 8]
	mov	[rdx + ENTRY_TOP - 40 + i * 8], rax
  %assign i i+1
%endrep
	mov	rax, [rsp + REGS_GPR]
	mov	[rdx + ENTRY_TOP - 48], rax
	mov	rax, [rdi + VCPU_PML4]
	mov	rcx, [rsp + REGS_GPR + 1 * 8]
	mov	rdx, [rsp + REGS_GPR + 2 * 8]
	mov	rbx, [rsp + REGS_GPR + 3 * 8]
	mov	rbp, [rsp + REGS_GPR + 5 * 8]
	mov	rsi, [rsp + REGS_GPR + 6 * 8]
	mov	rdi, [rsp + REGS_GPR + 7 * 8]
	mov	r8, [rsp + REGS_GPR + 8 * 8]
	mov	r9, [rsp + REGS_GPR + 9 * 8]
	mov	r10, [rsp + REGS_GPR + 10 * 8]
	mov	r11, [rsp + REGS_GPR + 11 * 8]
	mov	r12, [rsp + REGS_GPR + 12 * 8]
	mov	r13, [rsp + REGS_GPR + 13 * 8]
	mov	r14, [rsp + REGS_GPR + 14 * 8]
	mov	r15, [rsp + REGS_GPR + 15 * 8]
	FAR_JUMP [abs tramp_enter_at]

; As a processor that speculates needs it; else the call is the branch. rax is
; the vector.
	align 16
wide_exit_by_vector:
	mov	rax, [abs exit_handler_wide + rax * 8]
	jmp	__x86_indirect_thunk_rax
	PLAIN	wide_exit_call, call [abs exit_handler_wide + rax * 8]

	align 16
exit_wide_step:
	SAVE_WIDE
	SAVE_WIDE_FRAME
	cld
	TAKE_LOCK_WIDE
	mov	eax, [rsp + REGS_VECTOR]
	mov	rsi, rsp
	inc	qword [rdi + VCPU_EXITS + rax * 8]
	call	exit_stepped
	jmp	wide_handled

; void wide_iret_fault(struct vcpu *, uint64_t rip). Where the guest was to go on
; is in struct regs, if it was not SYSCALL. That loads SS, which only GDTs of wide
; guests have: null is what an exit leaves there.
iret_fault:
	SAVE_WIDE
	mov	rbx, [rax + 24]
	xor	eax, eax
	mov	ss, eax
	cld
	TAKE_LOCK_WIDE
	mov	rsi, rbx
	call	wide_iret_fault
	jmp	wide_handled

; void wide_nmi(struct regs *, const uint64_t *pushed, uint64_t cr3), with room for
; registers; RAX and RBX, which were pushed, are in use (nmi).
nmi_in_image:
	sub	rsp, REGS_SIZE
	mov	[rsp + REGS_GPR + 1 * 8], rcx
	mov	[rsp + REGS_GPR + 2 * 8], rdx
	mov	[rsp + REGS_GPR + 3 * 8], rax
	mov	[rsp + REGS_GPR + 5 * 8], rbp
	mov	[rsp + REGS_GPR + 6 * 8], rsi
	mov	[rsp + REGS_GPR + 7 * 8], rdi
%assign i 8
%rep 8
	mov	[rsp + REGS_GPR + i * 8], r %+ i
  %assign i i+1
%endrep
	cld
	mov	rdi, rsp
	mov	rsi, rax
	mov	rdx, rbx
	call	wide_nmi
	mov	rcx, [rsp + REGS_GPR + 1 * 8]
	mov	rdx, [rsp + REGS_GPR + 2 * 8]
	mov	rax, [rsp + REGS_GPR + 3 * 8]
	mov	rsi, [rsp + REGS_GPR + 6 * 8]
	mov	rdi, [rsp + REGS_GPR + 7 * 8]
%assign i 8
%rep 4
	mov	r %+ i, [rsp + REGS_GPR + i * 8]
  %assign i i+1
%endrep
	FAR_JUMP [abs tramp_nmi_at]

section .rodata
drain_fault_at:	dq drain_fault
drain_call_at:	dq drain_call
vcpu_wait_lock_at: dq vcpu_wait_lock
tramp_enter_at:	dq TRAMP_BASE + enter - tramp_start
tramp_nmi_at:	dq TRAMP_BASE + nmi_back - tramp_start
