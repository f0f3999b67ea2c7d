; SPDX-License-Identifier: GPL-2.0-only
;
; The trace backend for 64-bit guests: rom/backends/trace for stub64. A record is
; struct trace_record64.
;
; Arithmetic flags are nobody's, not even at a jump, whose context has its own in the
; frame. So registers are all that is saved, in the last bytes of the ring, with the
; virtual flag off: of the guest's stack 16 bytes are used, which leaves IRET the
; room that it needs (VMI64-3.6.2).

%include "rom/backends/trace/wrap.inc"
%include "rom/backends/stub64/hot.asm"

; ---- what is recorded -----------------------------------------------------------

; "ARGS Name, registers": so many of rdi, rsi, rdx, rcx, r8, as spec/vmi64.md has it
; (VMI64-3.2). Calls that are not named have no arguments.
%define TRACE_WIDE	8
%define TRACE_STACK	4
%define ARGS_NONE	TRACE_WIDE

%macro ARGS 2
 %assign ARGS_%1 TRACE_WIDE | (%2)
%endmacro

	ARGS CPUID, 4
	ARGS WRMSR, 3
	ARGS RDMSR, 1
	ARGS SetGDT, 1
	ARGS SetLDT, 1
	ARGS SetIDT, 1
	ARGS SetTR, 1
	ARGS GetGDT, 1
	ARGS GetIDT, 1
	ARGS WriteGDTEntry, 3
	ARGS WriteLDTEntry, 3
	ARGS WriteIDTEntry, 3
	ARGS UpdateKernelStack, 1
	ARGS SetCR0, 1
	ARGS SetCR2, 1
	ARGS SetCR3, 1
	ARGS SetCR4, 1
	ARGS SetDR, 2
	ARGS GetDR, 1
	ARGS RDPMC, 1
	ARGS SetInterruptMask, 1
	ARGS IRET, 5 << TRACE_STACK
	ARGS Reboot, 1
	ARGS SetPxELong, 2
	ARGS UpdatePxELong, 1
	ARGS MachineToPhysical, 1
	ARGS PhysicalToMachine, 1
	ARGS AllocatePage, 5
	ARGS ReleasePage, 1
	ARGS InvalPage, 1
	ARGS FlushTLB, 1
	ARGS SetLinearMapping, 4
	ARGS SetIOPLMask, 1
	ARGS SetInitialAPState, 2
	ARGS APICWrite, 2
	ARGS APICRead, 1
	ARGS GetCycleCounter, 1
	ARGS SetAlarm, 3
	ARGS CancelAlarm, 1
	ARGS SetLazyMode, 1
	ARGS FlushProcessors, 3
	ARGS Hypercall, 5
	ARGS SetFSBase, 1
	ARGS SetGSBase, 1
	ARGS SetKernelGSBase, 1
	ARGS SwapGSIRET, 5 << TRACE_STACK
	ARGS SetSyscallEntry, 2
	ARGS SetIRETSite, 1

%include "rom/backends/trace/slots.inc"

; ---- the recorder -------------------------------------------------------------------

%define IF_BIT		9		; of STUB_IF
%define RECORD_HEAD	16
%define RECORD_MAX	(RECORD_HEAD + 8 * 5)
%define SAVED		(8 * 7)
%define TRACE_SIZE	(stub64_shared_queue_guard - stub64_shared_trace - SAVED)

; Arguments first, in their order.
%define SAVE(n)		rel shared + stub64_shared_queue_guard - SAVED + 8 * (n)

; The stack:
%define F_WHAT		rsp + 8		; what the slot pushed
%define F_STACK		rsp + 16	; as the guest left it

; Turns the flag off, and bl = 1 if it was on; rdi = where the record goes, r8 = what
; to record.
%macro RECORD_BEGIN 0
	btr dword [SHARED(flags)], IF_BIT
	mov [SAVE(0)], rdi
	mov [SAVE(1)], rsi
	mov [SAVE(2)], rdx
	mov [SAVE(3)], rcx
	mov [SAVE(4)], r8
	mov [SAVE(5)], rax
	mov [SAVE(6)], rbx
	setc bl
	mov eax, [SHARED(trace_used)]
	cmp eax, TRACE_SIZE - RECORD_MAX
	jbe %%room
	HCALL TRACE
	xor eax, eax
%%room:	lea rdi, [SHARED(trace)]
	add rdi, rax
	mov r8, [F_WHAT]
	rdtsc
	shl rdx, 32
	or rax, rdx
	sub rax, [SHARED(tsc_base)]
	mov [rdi + 4], eax
	shr rax, 32
	mov [rdi], r8w
	mov [rdi + 2], ax
%endmacro

; Registers are as they were; not zero: the flag was on.
%macro RECORD_END 0
	lea rax, [SHARED(trace)]
	sub rdi, rax
	mov [SHARED(trace_used)], edi
	mov rdi, [SAVE(0)]
	mov rsi, [SAVE(1)]
	mov rdx, [SAVE(2)]
	mov rcx, [SAVE(3)]
	mov r8, [SAVE(4)]
	mov rax, [SAVE(5)]
	test bl, bl
	mov rbx, [SAVE(6)]
%endmacro

trace_call:
	RECORD_BEGIN
	mov rax, [F_STACK]
	mov [rdi + 8], rax
	add rdi, RECORD_HEAD
	lea rsi, [SAVE(0)]
	mov ecx, r8d
	shr ecx, 8
	and ecx, 7
	rep movsq
	RECORD_END
	jz .off
; What came in meanwhile is delivered here, as if it had come before the call.
	or byte [FLAGS_HIGH], IF_HIGH
	jns .off
	call events
.off:	ret 8

; A jump leaves no trace of where it came from. What came in meanwhile waits for the
; flag of the frame.
trace_jump:
	RECORD_BEGIN
	and qword [rdi + 8], 0
	add rdi, RECORD_HEAD
	lea rsi, [F_STACK]
	mov ecx, r8d
	shr ecx, 8 + TRACE_STACK
	rep movsq
	RECORD_END
	jz .off
	or byte [FLAGS_HIGH], IF_HIGH
.off:	ret 8
