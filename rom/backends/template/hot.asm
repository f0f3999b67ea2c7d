; SPDX-License-Identifier: GPL-2.0-only
;
; Calls in assembly: those that have rules for registers which C cannot keep,
; and those that a guest makes so often that each instruction counts.
;
;	ENTRY Name			; a call, in its slot of 64 bytes
;		...
;	END_ENTRY Name
;	more code			; between entries: no limit
;
; C cannot keep the rules of these (VMI-3.1.6 on):
;   EnableInterrupts, DisableInterrupts	change no register at all
;   GetInterruptMask, SetInterruptMask	may change EAX and EDX, not ECX
;   CPUID				has results in EBX too
;   IRET, SYSEXIT			are no calls: see below
; The first four, IRET and SYSEXIT may come with any DS and ES: reach memory
; through SS or CS there.
;
; Absolute addresses (of memory that you share with your hypervisor) need a
; relocation table, that is the symbol rom_relocs: see the stub backend. A
; backend without it that uses one is refused by the build.

	bits 32

; In: esp -> eip, cs, eflags and, if cs has RPL 3, esp, ss. Every register
; belongs to the context that is returned to. The frame's bit 9 becomes the
; guest's interrupt flag at the same moment as the return: with a flag of your
; own, an interrupt between setting it and IRETD needs care (VMI-3.6.3).
ENTRY IRET
	iretd
END_ENTRY IRET

; In: edx = eip, ecx = esp, of user mode. Flags as they are, but interrupts on
; (VMI-3.6.5). Not the instruction SYSEXIT: its selectors come from an MSR,
; and not every processor has it.
ENTRY SYSEXIT
	push dword VMI_SYSEXIT_SS
	push ecx
	pushfd
	or byte [esp + 1], 1 << (9 - 8)
	push dword VMI_SYSEXIT_CS
	push edx
	iretd
END_ENTRY SYSEXIT
