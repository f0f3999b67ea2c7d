; SPDX-License-Identifier: GPL-2.0-only
;
; The stub backend: calls that a guest makes often. None of them enters the
; hypervisor on its common path, whose instructions are counted below (all
; of them, RET or IRET included).
;
; "shared" is struct stub_shared. The interrupt calls, IRET and SYSEXIT may
; be made with any DS (VMI-3.1.4), so they reach it through SS.

	bits 32

%define SHARED(field)	shared + stub_shared_ %+ field
%define FLAGS_HIGH	ss:shared + stub_shared_flags + 1
%define IF_HIGH		(STUB_IF >> 8)
%define LINEAR0(field)	shared + stub_shared_linear + stub_linear_ %+ field
%define QUEUE_END	shared + stub_shared_queue + STUB_QUEUE_LEN * 4

	section .shared nobits alloc noexec write align=4096
	global shared
shared:	resb stub_shared_size

; "WINDOW first, after, restart, clear_if": see struct stub_window.
%assign WINDOW_COUNT 0
	section .offsets progbits alloc noexec nowrite align=4
window_table:
%macro WINDOW 4
	section .offsets
	dd %1, %2, %3, %4
	section .text
 %assign WINDOW_COUNT WINDOW_COUNT + 1
 %if WINDOW_COUNT > STUB_WINDOWS
  %error too many windows
 %endif
%endmacro

	section .text

%macro HCALL 1
	mov eax, STUB_HC_%1
	int STUB_VECTOR
%endmacro

; ---- interrupt flag -------------------------------------------------------------

ENTRY GetInterruptMask			; 3; out eax; ecx, edx kept
	mov eax, [ss:shared + stub_shared_flags]
	and eax, STUB_IF
	ret
END_ENTRY GetInterruptMask

ENTRY DisableInterrupts			; 2; every register kept
	and byte [FLAGS_HIGH], ~IF_HIGH & 0xff
	ret
END_ENTRY DisableInterrupts

; The sign of the result is STUB_PENDING.
ENTRY EnableInterrupts			; 3; every register kept
	or byte [FLAGS_HIGH], IF_HIGH
	js events
	ret
END_ENTRY EnableInterrupts

events:	push eax
	HCALL EVENTS
	pop eax
	ret

ENTRY SetInterruptMask			; 4 off, 5 on; in eax; all kept
	test ah, IF_HIGH
	jz .off
	or byte [FLAGS_HIGH], IF_HIGH
	js events
	ret
.off:	and byte [FLAGS_HIGH], ~IF_HIGH & 0xff
	ret
END_ENTRY SetInterruptMask

; ---- return to an interrupted context -----------------------------------------

; esp -> eip, cs, eflags [, esp, ss]; every register belongs to that context.
;
; An interrupt after the OR must find the guest as it was before the call, or
; each one would nest deeper on the same kernel stack: a window. Once the
; pending path has cleared the flag again, none comes.
ENTRY IRET				; 6
	test byte [esp + 8 + 1], IF_HIGH
	bt dword [esp + 8], 17		; EFLAGS.VM
	jbe iret_off			; no IF, or VM
iret_on:
	or byte [FLAGS_HIGH], IF_HIGH
iret_window:
	js iret_pending
iret_insn:
	iretd
iret_pending:
	and byte [FLAGS_HIGH], ~IF_HIGH & 0xff
iret_window_end:
	push eax
	HCALL IRET			; ends at the frame's eip

iret_off:
	and byte [FLAGS_HIGH], ~IF_HIGH & 0xff
	test byte [esp + 8 + 2], 2	; EFLAGS.VM: let the hypervisor refuse
	jnz iret_window_end
iret_off_insn:
	iretd
END_ENTRY IRET
	WINDOW iret_window, iret_window_end, rom_IRET, 1

; edx = eip, ecx = esp. Underneath, interrupts are always on: the flags that
; PUSHF gives are the user's to be.
ENTRY SYSEXIT				; 9
	push VMI_SYSEXIT_SS
	push ecx
	pushfd
	push VMI_SYSEXIT_CS
	push edx
	jmp iret_on
END_ENTRY SYSEXIT

; ---- control registers ------------------------------------------------------------

%macro GET 2
ENTRY %1				; 2
	mov eax, [SHARED(%2)]
	ret
END_ENTRY %1
%endmacro
	GET GetCR0, cr0
	GET GetCR2, cr2
	GET GetCR3, cr3
	GET GetCR4, cr4
	GET GetLDT, ldt
	GET GetTR, tr

ENTRY SetCR2				; 2
	mov [SHARED(cr2)], eax
	ret
END_ENTRY SetCR2

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
	mov [SHARED(cr3)], eax
	or dword [SHARED(deferred)], STUB_DEFER_CR3
	ret
.now:	mov edx, eax
	HCALL SET_CR3
	ret
END_ENTRY SetCR3

; In eax = selector with any RPL, edx = esp.
ENTRY UpdateKernelStack			; 6
	mov ecx, cs
	and ecx, 3
	or eax, ecx
	mov [SHARED(ss0)], eax
	mov [SHARED(esp0)], edx
	ret
END_ENTRY UpdateKernelStack

; ---- page tables -----------------------------------------------------------------

; Logs the changed entry at edx, if in linear slot 0: 11 instructions.
;
; Up to the increment of the tail this is a window, since what runs in between
; may use the queue or empty it: the guest goes back to the load of the tail.
; From there to the hypercall for a full queue it is another, as nobody may
; find the queue full: that one ends in log_interrupted.
%macro LOG_UPDATE 0
	mov eax, edx
	sub eax, [LINEAR0(va)]
	cmp eax, [LINEAR0(bytes)]
	jae log_elsewhere
%%start:
	mov eax, [SHARED(tail)]
	cmp [QUEUE_END + eax * 4 - 4], edx
	je %%end			; just logged
	mov [QUEUE_END + eax * 4], edx
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

ENTRY SetPxE				; 12; eax = entry, edx = its VA
	mov [edx], eax
	LOG_UPDATE
END_ENTRY SetPxE
	LOG_WINDOWS

ENTRY UpdatePxE				; 12; eax = VA
	mov edx, eax
	LOG_UPDATE
END_ENTRY UpdatePxE
	LOG_WINDOWS

; edx:eax = entry, ecx = its VA. Never half new and present (SDM vol. 3A,
; 4.10.4.3 has the same worry for the processor's own caches).
ENTRY SetPxELong			; 16
	mov dword [ecx], 0
	mov [ecx + 4], edx
	mov [ecx], eax
	mov edx, ecx
	jmp log_update_long
END_ENTRY SetPxELong

ENTRY UpdatePxELong			; 12; eax = VA
	mov edx, eax
log_update_long:
	LOG_UPDATE
END_ENTRY UpdatePxELong
	LOG_WINDOWS

; Not in slot 0: a mapping that may be gone at the drain, so the physical
; address is logged, or the hypervisor looks at once.
	extern rom_locate
log_elsewhere:
	push edx
	mov eax, edx
	call rom_locate			; queue word, or 0
	pop edx
	test eax, eax
	jz .ask
	mov edx, eax
	jmp log_word
.ask:	HCALL UPDATE_VA
	ret

; Appends the word edx.
log_word:
	mov eax, [SHARED(tail)]
	cmp [QUEUE_END + eax * 4 - 4], edx
	je log_done
	mov [QUEUE_END + eax * 4], edx
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

ENTRY AllocatePage			; 12; eax = page frame
	cmp eax, 1 << 20
	jae allocate_above
	shl eax, 12
	lea edx, [eax + STUB_Q_PAGE + STUB_QP_ALLOC]
	jmp log_word
END_ENTRY AllocatePage

ENTRY ReleasePage			; 12; eax = page frame
	cmp eax, 1 << 20
	jae release_above
	shl eax, 12
	lea edx, [eax + STUB_Q_PAGE + STUB_QP_RELEASE]
	jmp log_word
END_ENTRY ReleasePage

; A frame above 4 GB: the queue has no word for it.
allocate_above:
	mov ecx, STUB_QP_ALLOC
	jmp page_above
release_above:
	mov ecx, STUB_QP_RELEASE
page_above:
	mov edx, eax
	HCALL PAGE
	ret

; Notes the work after queueing it: an interrupt in between, which drains,
; must not leave a queued word without its note.
ENTRY InvalPage				; 14 in a batch; eax = VA
	cmp dword [SHARED(lazy_mode)], VMI_LAZY_MMU
	jne .now
	and eax, ~0xfff
	lea edx, [eax + STUB_Q_INVAL]
	call log_word
	or dword [SHARED(deferred)], STUB_DEFER_INVAL
	ret
.now:	mov edx, eax
	HCALL INVAL_PAGE
	ret
END_ENTRY InvalPage

ENTRY FlushTLB				; 6 in a batch; eax = VMI_FLUSH_*
	test al, VMI_FLUSH_GLOBAL
	jnz .now
	cmp dword [SHARED(lazy_mode)], VMI_LAZY_MMU
	jne .now
	or dword [SHARED(deferred)], STUB_DEFER_FLUSH
	ret
.now:	mov edx, eax
	HCALL FLUSH_TLB
	ret
END_ENTRY FlushTLB

; Queued updates alone need no exit at the end of a batch (VMI-3.5.3).
; What a mode deferred is drained before the mode ends: the hypervisor takes
; an interrupt in between for one that comes within the batch.
ENTRY SetLazyMode			; 4 entering, 7 leaving; eax = mode
	test eax, eax
	jnz .set
	mov edx, [SHARED(deferred)]
	or edx, [SHARED(gdt_dirty)]
	jnz .drain
.set:	mov [SHARED(lazy_mode)], eax
	ret
.drain:	HCALL DRAIN
	xor eax, eax
	jmp .set
END_ENTRY SetLazyMode

; ---- the rest -----------------------------------------------------------------------

; In eax = leaf, ecx = subleaf; out all four; esi, edi, ebp kept.
ENTRY CPUID
	mov edx, eax
	HCALL CPUID
	ret
END_ENTRY CPUID

	extern rom_other_cycles
ENTRY GetCycleCounter			; 6; eax = counter; out edx:eax
	test eax, eax			; VMI_CYCLES_REAL
	jnz rom_other_cycles
	rdtsc
	sub eax, [SHARED(tsc_base)]
	sbb edx, [SHARED(tsc_base) + 4]
	ret
END_ENTRY GetCycleCounter

ENTRY GetCycleFrequency			; 3; out edx:eax
	mov eax, [SHARED(tsc_hz)]
	mov edx, [SHARED(tsc_hz) + 4]
	ret
END_ENTRY GetCycleFrequency

ENTRY MachineToPhysical			; 1; the guest sees physical frames
	ret
END_ENTRY MachineToPhysical

ENTRY PhysicalToMachine			; 1
	ret
END_ENTRY PhysicalToMachine

ENTRY WallclockUpdated			; 2; nobody sets the clock
	xor eax, eax
	ret
END_ENTRY WallclockUpdated

window_count	equ WINDOW_COUNT
