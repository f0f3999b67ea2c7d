; SPDX-License-Identifier: GPL-2.0-only
;
; The guest's own instruction for each call, called as the ROM's would be.

	bits 32

	section .text

%macro NATIVE 1
	global native_%1
native_%1:
%endmacro

NATIVE CPUID
	cpuid
	ret
NATIVE WRMSR
	wrmsr
	ret
NATIVE RDMSR
	rdmsr
	ret
NATIVE SetGDT
	lgdt [eax]
	ret
NATIVE SetLDT
	lldt ax
	ret
NATIVE SetIDT
	lidt [eax]
	ret
NATIVE SetTR
	ltr ax
	ret
NATIVE GetGDT
	sgdt [eax]
	ret
NATIVE GetLDT
	xor eax, eax
	sldt ax
	ret
NATIVE GetIDT
	sidt [eax]
	ret
NATIVE GetTR
	xor eax, eax
	str ax
	ret
NATIVE WriteEntry
	push ebx
	mov ebx, [esp + 8]
	mov [eax + edx * 8], ecx
	mov [eax + edx * 8 + 4], ebx
	pop ebx
	ret
NATIVE SetCR0
	mov cr0, eax
	ret
NATIVE SetCR2
	mov cr2, eax
	ret
NATIVE SetCR3
	mov cr3, eax
	ret
NATIVE SetCR4
	mov cr4, eax
	ret
NATIVE GetCR0
	mov eax, cr0
	ret
NATIVE GetCR2
	mov eax, cr2
	ret
NATIVE GetCR3
	mov eax, cr3
	ret
NATIVE GetCR4
	mov eax, cr4
	ret
NATIVE WBINVD
	wbinvd
	ret
NATIVE RDPMC
	rdpmc
	ret
NATIVE RDTSC
	rdtsc
	ret
NATIVE CLTS
	clts
	ret
NATIVE EnableInterrupts
	sti
	ret
NATIVE DisableInterrupts
	cli
	ret
NATIVE GetInterruptMask
	pushfd
	pop eax
	ret
NATIVE SetInterruptMask
	test ah, 2
	jz .off
	sti
	ret
.off:	cli
	ret
NATIVE Halt
	sti
	hlt
	ret
NATIVE SetPxE
	mov [edx], eax
	ret
NATIVE SetPxELong
	mov dword [ecx], 0
	mov [ecx + 4], edx
	mov [ecx], eax
	ret
NATIVE InvalPage
	invlpg [eax]
	ret
NATIVE SetIOPLMask
	pushfd
	and eax, 0x3000
	and dword [esp], ~0x3000
	or [esp], eax
	popfd
	ret
NATIVE nothing
	ret
