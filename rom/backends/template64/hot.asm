; SPDX-License-Identifier: GPL-2.0-only
;
; Calls in assembly, for 64-bit guests: those that have rules for registers which
; C cannot keep, and those that a guest makes so often that each instruction
; counts. C cannot keep the rules of these (VMI64-3.1.4 on):
;   EnableInterrupts, DisableInterrupts, SetInterruptMask, SwapGS
;				change no register at all
;   GetInterruptMask, GetCR2, MachineToPhysical, PhysicalToMachine
;				change RAX alone, their result
;   IRET, SwapGSIRET		are no calls: see below
; SwapGS and SwapGSIRET are made with either GS base loaded: no GS in them.
;
; Code may run where the guest found the image: RIP-relative, no absolute
; addresses, until your hypervisor has a working copy of it elsewhere.

	bits 64
	default rel

; In: rsp -> rip, cs, rflags, rsp, ss. Every register belongs to the context that
; is returned to. The frame's bit 9 becomes the guest's interrupt flag at the same
; moment as the return: with a flag of your own, an interrupt between setting it
; and IRETQ needs care (VMI64-3.6.3).
ENTRY IRET
	iretq
END_ENTRY IRET

; The same, with the GS base swapped before.
ENTRY SwapGSIRET
	swapgs
	iretq
END_ENTRY SwapGSIRET

ENTRY SwapGS
	swapgs
	ret
END_ENTRY SwapGS
