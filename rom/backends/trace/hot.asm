; SPDX-License-Identifier: GPL-2.0-only
;
; The trace backend: each slot appends a record (record.h) to the ring and
; goes on to the wrapped backend with every register and the stack as they
; were. To wrap another backend, change the three includes: here, in
; answers.inc and in calls.c.
;
; The ring is stub_shared.trace, which the hypervisor hands on when we
; ask (STUB_HC_TRACE) and at the end of the machine. So no record is lost, no
; further memory has to be found or mapped, and there is one exit for some
; 250 calls. It is filled with the virtual interrupt flag off: a handler makes
; calls too. The stub's own windows stay as they are, since they restart at
; labels of its own code, behind the slots: a call is recorded once.

; ---- the wrapped backend, out of its slots ------------------------------------

%include "rom/backends/trace/wrap.inc"
%include "rom/backends/stub/hot.asm"

; ---- what is recorded -----------------------------------------------------------

; "ARGS Name, TRACE_*, words of the stack": as spec/vmi.md has it (VMI-3.2).
; Calls that are not named have no arguments.
%define TRACE_EAX	1
%define TRACE_EDX	2
%define TRACE_ECX	4
%define TRACE_STACK	4
%define ARGS_NONE	0

%macro ARGS 3
 %assign ARGS_%1 (%2) | (%3) << TRACE_STACK
%endmacro

	ARGS CPUID,		TRACE_EAX | TRACE_ECX, 0
	ARGS WRMSR,		TRACE_EAX | TRACE_EDX | TRACE_ECX, 0
	ARGS RDMSR,		TRACE_ECX, 0
	ARGS SetGDT,		TRACE_EAX, 0
	ARGS SetLDT,		TRACE_EAX, 0
	ARGS SetIDT,		TRACE_EAX, 0
	ARGS SetTR,		TRACE_EAX, 0
	ARGS GetGDT,		TRACE_EAX, 0
	ARGS GetIDT,		TRACE_EAX, 0
	ARGS WriteGDTEntry,	TRACE_EAX | TRACE_EDX | TRACE_ECX, 1
	ARGS WriteLDTEntry,	TRACE_EAX | TRACE_EDX | TRACE_ECX, 1
	ARGS WriteIDTEntry,	TRACE_EAX | TRACE_EDX | TRACE_ECX, 1
	ARGS UpdateKernelStack,	TRACE_EAX | TRACE_EDX, 0
	ARGS SetCR0,		TRACE_EAX, 0
	ARGS SetCR2,		TRACE_EAX, 0
	ARGS SetCR3,		TRACE_EAX, 0
	ARGS SetCR4,		TRACE_EAX, 0
	ARGS SetDR,		TRACE_EAX | TRACE_EDX, 0
	ARGS GetDR,		TRACE_EAX, 0
	ARGS RDPMC,		TRACE_ECX, 0
	ARGS SetInterruptMask,	TRACE_EAX, 0
	ARGS IRET,		0, 3		; to user mode: 5
	ARGS SYSEXIT,		TRACE_EDX | TRACE_ECX, 0
	ARGS Reboot,		TRACE_EAX, 0
	ARGS SetPxE,		TRACE_EAX | TRACE_EDX | TRACE_ECX, 0
	ARGS SetPxELong,	TRACE_EAX | TRACE_EDX | TRACE_ECX, 1
	ARGS UpdatePxE,		TRACE_EAX | TRACE_EDX, 0
	ARGS UpdatePxELong,	TRACE_EAX | TRACE_EDX, 0
	ARGS MachineToPhysical,	TRACE_EAX, 0
	ARGS PhysicalToMachine,	TRACE_EAX, 0
	ARGS AllocatePage,	TRACE_EAX | TRACE_EDX | TRACE_ECX, 2
	ARGS ReleasePage,	TRACE_EAX | TRACE_EDX, 0
	ARGS InvalPage,		TRACE_EAX, 0
	ARGS FlushTLB,		TRACE_EAX, 0
	ARGS SetLinearMapping,	TRACE_EAX | TRACE_EDX | TRACE_ECX, 1
	ARGS SetIOPLMask,	TRACE_EAX, 0
	ARGS SetInitialAPState,	TRACE_EAX | TRACE_EDX, 0
	ARGS APICWrite,		TRACE_EAX | TRACE_EDX, 0
	ARGS APICRead,		TRACE_EAX, 0
	ARGS GetCycleCounter,	TRACE_EAX, 0
	ARGS SetAlarm,		TRACE_EAX | TRACE_EDX | TRACE_ECX, 2
	ARGS CancelAlarm,	TRACE_EAX, 0
	ARGS SetLazyMode,	TRACE_EAX, 0
	ARGS FlushProcessors,	TRACE_EAX | TRACE_EDX | TRACE_ECX, 0
	ARGS Hypercall,		TRACE_EAX | TRACE_EDX | TRACE_ECX, 2

%include "rom/backends/trace/slots.inc"

; ---- the recorder -------------------------------------------------------------------

%define RECORD_MAX	(12 + 4 * 5)
%define TRACE_SIZE	(stub_shared_queue_guard - stub_shared_trace)

; The stack in trace_call and trace_jump. DS and ES may hold anything
; (VMI-3.1.4), so memory is reached through ESP, EBP or SS.
%define F_EDX		esp + 20
%define F_ECX		esp + 24
%define F_EAX		esp + 28
%define F_FLAGS		esp + 32
%define F_RETURN	esp + 36	; into the slot
%define F_WHAT		esp + 40	; what the slot pushed
%define F_STACK		esp + 44	; as the guest left it

; Notes the state of the interrupt flag in bl and turns it off; edi = where
; the guest's arguments on the stack begin, ebp = room for a record.
%macro RECORD_BEGIN 1
	pushfd
	pushad
	mov bl, [FLAGS_HIGH]
	and byte [FLAGS_HIGH], ~IF_HIGH & 0xff
	mov ebp, [ss:SHARED(trace_used)]
	cmp ebp, TRACE_SIZE - RECORD_MAX
	jbe %%room
	HCALL TRACE
	xor ebp, ebp
%%room:	add ebp, shared + stub_shared_trace
	mov esi, [F_WHAT]
	lea edi, [F_STACK + %1]
%endmacro

trace_call:
	RECORD_BEGIN 4
	mov eax, [F_STACK]
	jmp trace_record

; A jump leaves no trace of where it came from. IRET to user mode has two more
; words in its frame, and their number fits into the record's.
trace_jump:
	RECORD_BEGIN 0
	xor eax, eax
	cmp si, VMI_CALL_IRET | ARGS_IRET << 8
	jne trace_record
	mov ecx, [ss:edi + 4]		; CS
	and ecx, 3
	cmp ecx, 3
	jne trace_record
	add esi, 2 << TRACE_STACK + 8

; In esi = call, args << 8; eax = eip of the record.
trace_record:
	mov [ebp + 8], eax
	rdtsc
	sub eax, [ss:SHARED(tsc_base)]
	sbb edx, [ss:SHARED(tsc_base) + 4]
	mov [ebp], si
	mov [ebp + 2], dx
	mov [ebp + 4], eax
	add ebp, 12
	shr esi, 8
%macro RECORD_REGISTER 1
	test esi, TRACE_%1
	jz %%none
	mov eax, [F_%1]
	mov [ebp], eax
	add ebp, 4
%%none:
%endmacro
	RECORD_REGISTER EAX
	RECORD_REGISTER EDX
	RECORD_REGISTER ECX
	shr esi, TRACE_STACK
	jz .end
.word:	mov eax, [ss:edi]
	mov [ebp], eax
	add edi, 4
	add ebp, 4
	dec esi
	jnz .word
.end:	sub ebp, shared + stub_shared_trace
	mov [ss:SHARED(trace_used)], ebp

; What came in meanwhile is delivered here, as if it had come before the call.
	test bl, IF_HIGH
	jz .off
	or byte [FLAGS_HIGH], IF_HIGH
	jns .off
	HCALL EVENTS
.off:	popad
	popfd
	ret 4
