; SPDX-License-Identifier: GPL-2.0-only
;
; The stub backend for 64-bit guests: calls that a guest makes often. None of
; them enters the hypervisor on its common path, whose instructions are counted
; below (all of them, RET or IRETQ included).
;
; "shared" is struct stub64_shared. Image and shared area are linked where they
; will be, in the top 2 GB: what is indexed has an absolute address of 32 bits.

	bits 64

%define SHARED(field)	rel shared + stub64_shared_ %+ field
%define FLAGS_HIGH	rel shared + stub64_shared_flags + 1
%define IF_HIGH		(STUB_IF >> 8)
%define IF_HIGH_OFF	(~IF_HIGH & 0xff)
%define QUEUE_END	abs shared + stub64_shared_queue + STUB_QUEUE_LEN * 8

; Offsets in the frame of an interrupt, in 64-bit mode always of five words.
%define FRAME_RFLAGS	16

	section .shared nobits alloc noexec write align=4096
	global shared
shared:	resb stub64_shared_size

; struct stub64_rom_table: "WINDOW first, after, restart, clear_if".
%assign WINDOW_COUNT 0
	section .offsets progbits alloc noexec nowrite align=8
rom_addresses:
	dq iret_insn, iret_off_insn, swapgs_iret_insn
	dq syscall_lstar, syscall_cstar
%macro WINDOW 4
	section .offsets
	dq %1, %2, %3, %4
	section .text
 %assign WINDOW_COUNT WINDOW_COUNT + 1
 %if WINDOW_COUNT > STUB_WINDOWS
  %error too many windows
 %endif
%endmacro

	section .text

%define STUB_HC_SYSCALL		STUB64_HC_SYSCALL
%define STUB_HC_IRET_SITE	STUB64_HC_IRET_SITE

; Arguments are already where the hypervisor looks for them.
%macro HCALL 1
	mov eax, STUB_HC_%1
	int STUB_VECTOR
%endmacro

; A call that is nothing but a hypercall.
%macro ASK 2
ENTRY %1				; 3 and an exit
	HCALL %2
	ret
END_ENTRY %1
%endmacro

; ---- interrupt flag -------------------------------------------------------------

ENTRY GetInterruptMask			; 3; out rax; all else kept
	mov eax, [SHARED(flags)]
	and eax, STUB_IF
	ret
END_ENTRY GetInterruptMask

ENTRY DisableInterrupts			; 2; every register kept
	and byte [FLAGS_HIGH], IF_HIGH_OFF
	ret
END_ENTRY DisableInterrupts

; The sign of the result is STUB_PENDING.
ENTRY EnableInterrupts			; 3; every register kept
	or byte [FLAGS_HIGH], IF_HIGH
	js events
	ret
END_ENTRY EnableInterrupts

events:	push rax
	HCALL EVENTS
	pop rax
	ret

ENTRY SetInterruptMask			; 4 off, 5 on; in edi; all kept
	test edi, STUB_IF
	jz .off
	or byte [FLAGS_HIGH], IF_HIGH
	js events
	ret
.off:	and byte [FLAGS_HIGH], IF_HIGH_OFF
	ret
END_ENTRY SetInterruptMask

; ---- return to an interrupted context -----------------------------------------

; rsp -> rip, cs, rflags, rsp, ss; every register belongs to that context. IRETQ
; does not change VM. The window is that of the stub for 32-bit guests.
ENTRY IRET				; 5
	test byte [rsp + FRAME_RFLAGS + 1], IF_HIGH
	jz iret_off
	or byte [FLAGS_HIGH], IF_HIGH
iret_window:
	js iret_pending
iret_insn:
	iretq
iret_pending:
	and byte [FLAGS_HIGH], IF_HIGH_OFF
iret_window_end:
	push rax
	HCALL IRET			; ends at the frame's rip

iret_off:
	and byte [FLAGS_HIGH], IF_HIGH_OFF
iret_off_insn:
	iretq
END_ENTRY IRET
	WINDOW iret_window, iret_window_end, rom_IRET, 1

; ---- the GS bases ------------------------------------------------------------------

; SWAPGS as ring 1 can do it. XCHG locks the bus; without it two more registers
; would have to be saved, and all of this is done with interrupts off.
%macro SWAP_GS 0			; 3; rax is lost
	rdgsbase rax
	xchg rax, [SHARED(other_gs)]
	wrgsbase rax
%endmacro

ENTRY SwapGS				; 6; every register kept
	push rax
	SWAP_GS
	pop rax
	ret
END_ENTRY SwapGS

; From its window it goes back to IRET, since the bases are swapped by then.
ENTRY SwapGSIRET			; 10
	push rax
	SWAP_GS
	pop rax
	test byte [rsp + FRAME_RFLAGS + 1], IF_HIGH
	jz iret_off
	or byte [FLAGS_HIGH], IF_HIGH
swapgs_iret_window:
	js iret_pending
swapgs_iret_insn:
	iretq
swapgs_iret_window_end:
END_ENTRY SwapGSIRET
	WINDOW swapgs_iret_window, swapgs_iret_window_end, rom_IRET, 1

; Where the hypervisor's SYSCALL entry goes on for SetSyscallEntry, at the kernel's
; ring and with the flag off: registers are those that SYSCALL leaves, RSP is the
; user's, so that there is no stack. The jump is indirect: user mode may train the
; predictor for it where the processor does not keep rings apart (no enhanced or
; automatic IBRS).
%macro SYSCALL_ENTRY 1			; 6
syscall_%1:
	mov [SHARED(scratch)], rax
	SWAP_GS
	mov rax, [SHARED(scratch)]
	jmp [SHARED(%1)]
%endmacro
	SYSCALL_ENTRY lstar
	SYSCALL_ENTRY cstar

ENTRY GetFSBase				; 2
	rdfsbase rax
	ret
END_ENTRY GetFSBase

ENTRY SetFSBase				; 2
	wrfsbase rdi
	ret
END_ENTRY SetFSBase

ENTRY GetGSBase				; 2
	rdgsbase rax
	ret
END_ENTRY GetGSBase

ENTRY SetGSBase				; 2
	wrgsbase rdi
	ret
END_ENTRY SetGSBase

ENTRY SetKernelGSBase			; 2
	mov [SHARED(other_gs)], rdi
	ret
END_ENTRY SetKernelGSBase

	ASK SetSyscallEntry, SYSCALL
	ASK SetIRETSite, IRET_SITE

; ---- control registers ------------------------------------------------------------

%macro GET 3
ENTRY %1				; 2; all but rax kept
	mov %3, [SHARED(%2)]
	ret
END_ENTRY %1
%endmacro
	GET GetCR0, cr0, rax
	GET GetCR2, cr2, rax
	GET GetCR3, cr3, rax
	GET GetCR4, cr4, rax
	GET GetKernelGSBase, other_gs, rax
	GET GetLDT, ldt, eax
	GET GetTR, tr, eax
	GET GetCycleFrequency, tsc_hz, rax

ENTRY SetCR2				; 2
	mov [SHARED(cr2)], rdi
	ret
END_ENTRY SetCR2

ENTRY SetCR0				; 3 when it is that already
	cmp rdi, [SHARED(cr0)]
	jne .set
	ret
.set:	HCALL SET_CR0
	ret
END_ENTRY SetCR0

ENTRY SetCR4				; 3 when it is that already
	cmp rdi, [SHARED(cr4)]
	jne .set
	ret
.set:	HCALL SET_CR4
	ret
END_ENTRY SetCR4

ENTRY CLTS				; 3 when clear already
	test byte [SHARED(cr0)], 1 << 3
	jnz .clear
	ret
.clear:	HCALL CLTS
	ret
END_ENTRY CLTS

ENTRY SetCR3				; 5 in a batch
	cmp dword [SHARED(lazy_mode)], VMI_LAZY_CPU
	jne .now
	mov [SHARED(cr3)], rdi
	or dword [SHARED(deferred)], STUB_DEFER_CR3
	ret
.now:	HCALL SET_CR3
	ret
END_ENTRY SetCR3

ENTRY UpdateKernelStack			; 2
	mov [SHARED(rsp0)], rdi
	ret
END_ENTRY UpdateKernelStack

; ---- page tables -----------------------------------------------------------------

; Logs the changed entry at rdi, if linear slot 0 has it at its physical address: 11
; instructions. Windows as in the stub for 32-bit guests.
%macro LOG_UPDATE 0
	mov rax, rdi
	sub rax, [SHARED(direct_va)]
	cmp rax, [SHARED(direct_bytes)]
	jae log_elsewhere
%%start:
	movsxd rcx, dword [SHARED(tail)]
	cmp [QUEUE_END + rcx * 8 - 8], rax
	je %%end			; just logged
	mov [QUEUE_END + rcx * 8], rax
	inc dword [SHARED(tail)]
%%logged:
	jz log_full
%%end:	ret
 %xdefine LOG_START %%start
 %xdefine LOG_LOGGED %%logged
 %xdefine LOG_END %%end
%endmacro

; After the END_ENTRY of its slot.
%macro LOG_WINDOWS 0
	WINDOW LOG_START, LOG_LOGGED, LOG_START, 0
	WINDOW LOG_LOGGED, LOG_END, log_interrupted, 1
%endmacro

ENTRY SetPxELong			; 12; rdi = VA of the entry, rsi = entry
	mov [rdi], rsi
	LOG_UPDATE
END_ENTRY SetPxELong
	LOG_WINDOWS

ENTRY UpdatePxELong			; 11; rdi = VA
	LOG_UPDATE
END_ENTRY UpdatePxELong
	LOG_WINDOWS

; Not there: a mapping that may be gone at the drain, so the physical address is
; found now, or the hypervisor looks at once.
	extern rom_locate
log_elsewhere:
	push rdi
	call rom_locate			; queue word, or all ones
	pop rdi
	cmp rax, -1
	jne log_word
	HCALL UPDATE_VA
	ret

; Appends the word rax.
log_word:
	movsxd rcx, dword [SHARED(tail)]
	cmp [QUEUE_END + rcx * 8 - 8], rax
	je log_done
	mov [QUEUE_END + rcx * 8], rax
	inc dword [SHARED(tail)]
log_word_logged:
	jnz log_done
log_full:
	HCALL QUEUE_FULL
log_done:
	ret
	WINDOW log_word, log_word_logged, log_word, 0
	WINDOW log_word_logged, log_done, log_interrupted, 1

; An interrupt is kept waiting until the full queue has been emptied.
log_interrupted:
	cmp dword [SHARED(tail)], 0
	jne rom_EnableInterrupts
	HCALL QUEUE_FULL
	jmp rom_EnableInterrupts

ENTRY AllocatePage			; 10; rdi = page frame
	shl rdi, 12
	lea rax, [rdi + STUB64_Q_ALLOC]
	jmp log_word
END_ENTRY AllocatePage

ENTRY ReleasePage			; 10; rdi = page frame
	shl rdi, 12
	lea rax, [rdi + STUB64_Q_RELEASE]
	jmp log_word
END_ENTRY ReleasePage

; Notes the work after queueing it: an interrupt in between, which drains,
; must not leave a queued word without its note.
ENTRY InvalPage				; 14 in a batch; rdi = VA
	cmp dword [SHARED(lazy_mode)], VMI_LAZY_MMU
	jne .now
	and rdi, ~0xfff
	lea rax, [rdi + STUB64_Q_INVAL]
	call log_word
	or dword [SHARED(deferred)], STUB_DEFER_INVAL
	ret
.now:	HCALL INVAL_PAGE
	ret
END_ENTRY InvalPage

ENTRY FlushTLB				; 6 in a batch; edi = VMI_FLUSH_*
	test edi, VMI_FLUSH_GLOBAL
	jnz .now
	cmp dword [SHARED(lazy_mode)], VMI_LAZY_MMU
	jne .now
	or dword [SHARED(deferred)], STUB_DEFER_FLUSH
	ret
.now:	HCALL FLUSH_TLB
	ret
END_ENTRY FlushTLB

; Queued updates alone need no exit at the end of a batch (VMI-3.5.3). What a mode
; deferred is drained before the mode ends: the hypervisor takes an interrupt in
; between for one that comes within the batch.
ENTRY SetLazyMode			; 4 entering, 7 leaving; edi = mode
	test edi, edi
	jnz .set
	mov eax, [SHARED(deferred)]
	or eax, [SHARED(gdt_dirty)]
	jnz .drain
.set:	mov [SHARED(lazy_mode)], edi
	ret
.drain:	HCALL DRAIN
	jmp .set
END_ENTRY SetLazyMode

; ---- the rest -----------------------------------------------------------------------

	extern rom_other_cycles
ENTRY GetCycleCounter			; 7; edi = counter; out rax
	test edi, edi			; VMI_CYCLES_REAL
	jnz rom_other_cycles
	rdtsc
	shl rdx, 32
	or rax, rdx
	sub rax, [SHARED(tsc_base)]
	ret
END_ENTRY GetCycleCounter

ENTRY MachineToPhysical			; 2; rdi; the guest sees physical frames
	mov rax, rdi
	ret
END_ENTRY MachineToPhysical

ENTRY PhysicalToMachine			; 2
	mov rax, rdi
	ret
END_ENTRY PhysicalToMachine

ENTRY WallclockUpdated			; 2; nobody sets the clock
	xor eax, eax
	ret
END_ENTRY WallclockUpdated

	ASK SetTR, SET_TR
	ASK SetIOPLMask, SET_IOPL
	ASK SetInitialAPState, INITIAL_STATE
	ASK APICWrite, APIC_WRITE
	ASK APICRead, APIC_READ
	ASK SetAlarm, SET_ALARM
	ASK CancelAlarm, CANCEL_ALARM
	ASK GetWallclockTime, WALLCLOCK
	ASK Halt, HALT
	ASK Reboot, REBOOT
	ASK Shutdown, SHUTDOWN
	ASK Hypercall, HYPERCALL

window_count	equ WINDOW_COUNT
