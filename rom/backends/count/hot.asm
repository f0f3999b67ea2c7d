; SPDX-License-Identifier: GPL-2.0-only
;
; The count backend: each slot counts its call and goes on to the processor's
; own instruction. The counters are in memory that the BIOS gave (VMI-2.3.5);
; CPUID shows them as the stub hypervisor shows its own (STUB-16).

	bits 32

%define STATE_SIZE	1024		; of the memory
%define STATE_CALLS	256		; struct count_state in calls.c

; Which counter a call has: those that are answered, in the order of numbers.
%assign COUNTERS 0
%macro NUMBER_COUNTER 1
 %if ANSWER_%1 == VMI_RELOC_CALL || ANSWER_%1 == VMI_RELOC_JUMP
  %assign COUNTER_%1 COUNTERS
  %assign COUNTERS COUNTERS + 1
 %endif
%endmacro
	VMI_FOR_EACH_CALL NUMBER_COUNTER
%if STATE_CALLS + 8 * COUNTERS > STATE_SIZE
 %error too many counters
%endif

; What every slot begins with. Registers and flags stay as they are (VMI-3.1.7),
; DS and ES may be anything (VMI-3.1.4).
%macro COUNT 1
	push dword STATE_CALLS + 8 * COUNTER_%1
	call count
%endmacro

%unmacro ENTRY 1
%macro ENTRY 1
 %define ENTRY_%1 1
	SLOT_BEGIN VMI_CALL_%1
	global rom_%1
rom_%1:
	COUNT %1
%endmacro

; IRET and SYSEXIT. The first of them puts the guest's own instruction back when
; a frame is bad (VMI-3.6.4), and counts no more then.
%include "rom/backends/native/hot.asm"

	section .text

; In [esp + 4] = place of the counter in the state. Other processors and
; handlers count too: each half is added to at once, and the carry of the
; first is the caller's own.
count:
	pushfd
	push eax
	call rom_state
	add eax, [esp + 12]
	lock add dword [ss:eax], 1
	lock adc dword [ss:eax + 4], 0
	pop eax
	popfd
	ret 4

; ---- instructions ---------------------------------------------------------------

; "INSN Name, instruction": a call that is that and nothing else.
%macro INSN 2+
ENTRY %1
	%2
	ret
END_ENTRY %1
%endmacro

	INSN SetIDT, lidt [eax]
	INSN SetTR, ltr ax
	INSN GetGDT, sgdt [eax]
	INSN GetIDT, sidt [eax]
	INSN SetCR0, mov cr0, eax
	INSN SetCR2, mov cr2, eax
	INSN SetCR3, mov cr3, eax
	INSN SetCR4, mov cr4, eax
	INSN GetCR0, mov eax, cr0
	INSN GetCR2, mov eax, cr2
	INSN GetCR3, mov eax, cr3
	INSN GetCR4, mov eax, cr4
	INSN WBINVD, wbinvd
	INSN RDTSC, rdtsc
	INSN CLTS, clts
	INSN EnableInterrupts, sti
	INSN DisableInterrupts, cli
	INSN SetPxE, mov [edx], eax
	INSN InvalPage, invlpg [eax]

; There is nothing to tell anybody, and a frame has one number.
%macro NOTHING 1
ENTRY %1
	ret
END_ENTRY %1
%endmacro

	NOTHING UpdatePxE
	NOTHING UpdatePxELong
	NOTHING MachineToPhysical
	NOTHING PhysicalToMachine
	NOTHING AllocatePage
	NOTHING ReleasePage
	NOTHING SetLinearMapping
	NOTHING IODelay

ENTRY GetLDT
	sldt ax
	movzx eax, ax
	ret
END_ENTRY GetLDT

ENTRY GetTR
	str ax
	movzx eax, ax
	ret
END_ENTRY GetTR

ENTRY GetInterruptMask			; ecx and edx kept
	pushfd
	pop eax
	ret
END_ENTRY GetInterruptMask

ENTRY SetInterruptMask			; in eax, bit 9 alone; ecx kept
	test ah, 1 << (9 - 8)
	jz .off
	sti
	ret
.off:	cli
	ret
END_ENTRY SetInterruptMask

ENTRY Halt
	sti				; its shadow covers the HLT
	hlt
	ret
END_ENTRY Halt

; ---- CPUID, and the counters ----------------------------------------------------

%define CPUID_HYPERVISOR	(1 << 31)	; of ecx of leaf 1
%define CPUID_OWN		(STUB_CPUID_BASE >> 16)

; In eax = leaf, ecx = subleaf; out eax, ebx, ecx, edx (VMI-3.1.10).
ENTRY CPUID
	mov edx, eax
	shr edx, 16
	cmp edx, CPUID_OWN
	je own_leaf
	push eax
	cpuid
	cmp dword [esp], 1
	jne .out
	or ecx, CPUID_HYPERVISOR
.out:	add esp, 4
	ret
END_ENTRY CPUID

own_leaf:
	cmp eax, STUB_CPUID_BASE
	je .base
	push esi
	mov esi, eax
	sub esi, STUB_CPUID_NAMES
	jae .name
	add esi, STUB_CPUID_NAMES - STUB_CPUID_COUNTERS
	cmp esi, COUNTERS
	jae .none
	call rom_state
	lea esi, [eax + STATE_CALLS + 8 * esi]
.again:	mov edx, [ss:esi + 4]
	mov eax, [ss:esi]
	cmp edx, [ss:esi + 4]		; it may be counted up meanwhile
	jne .again
	mov ecx, COUNTERS
	xor ebx, ebx
	pop esi
	ret
.name:	cmp esi, COUNTERS
	jae .none
	call rom_image
	shl esi, 4
	add esi, eax
	add esi, [ss:eax + names_offset - header]
	mov eax, [ss:esi]
	mov ebx, [ss:esi + 4]
	mov ecx, [ss:esi + 8]
	mov edx, [ss:esi + 12]
	pop esi
	ret
.none:	pop esi
	xor eax, eax
	xor ebx, ebx
	xor ecx, ecx
	xor edx, edx
	ret
.base:	mov eax, STUB_CPUID_NAMES + COUNTERS - 1
	mov ebx, "Open"
	mov ecx, `VMI\0`
	mov edx, "stub"			; whose leaves these are
	ret

; 16 bytes each, with zeros; longer names lose their end.
	align 4
counter_names:
%macro COUNTER_NAME 1
 %ifdef COUNTER_%1
  %defstr %%string %1
  %substr %%name %%string 1, 16
%%begin:
	db %%name
	times 16 - ($ - %%begin) db 0
 %endif
%endmacro
	VMI_FOR_EACH_CALL COUNTER_NAME

; ---- the memory -------------------------------------------------------------------

; POST Memory Manager specification 1.01: its structure is somewhere in the
; BIOS. What it gives for good is not in the memory map that the guest gets.
%define PMM_SIGNATURE		"$PMM"
%define PMM_LENGTH		5
%define PMM_ENTRY		7		; far pointer
%define PMM_ALLOCATE		0
%define PMM_CONVENTIONAL	1		; below 1 MB
%define PMM_PERMANENT		8
%define PMM_ANONYMOUS		0xffffffff
%define BIOS_SEGMENT		0xe000

; Real mode, CS:0 = the image, which can be written now and never again. If
; there is no memory the distance stays 0, and Init refuses.
	bits 16
count_bios_init:
	mov ax, BIOS_SEGMENT
.look:	mov es, ax
	cmp dword [es:0], PMM_SIGNATURE
	je .found
.next:	inc ax
	jnz .look
	ret
.found:	movzx cx, [es:PMM_LENGTH]
	xor si, si
	mov dl, 0
.sum:	add dl, [es:si]
	inc si
	loop .sum
	test dl, dl
	jnz .next
	push word PMM_CONVENTIONAL | PMM_PERMANENT
	push dword PMM_ANONYMOUS
	push dword STATE_SIZE / 16
	push word PMM_ALLOCATE
	call far [es:PMM_ENTRY]
	add sp, 12
	shl edx, 16
	mov dx, ax			; physical
	test edx, edx
	jz .none
	mov ebx, edx
	shr ebx, 4
	mov es, bx
	xor di, di
	xor ax, ax
	mov cx, STATE_SIZE / 2
	rep stosw
	xor ebx, ebx
	mov bx, cs
	shl ebx, 4
	sub edx, ebx
	mov [cs:state_distance - header], edx
	mov cx, 4			; the sum of the image stays 0
.fix:	sub [cs:vmi_rom_header_checksum], dl
	shr edx, 8
	loop .fix
.none:	ret
	bits 32

; ---- the others are in calls.c ------------------------------------------------------

%macro C_SLOT 1
 %ifdef COUNTER_%1
  %ifndef ENTRY_%1
   %define ENTRY_%1 1
	SLOT_BEGIN VMI_CALL_%1
slot_%1:
	COUNT %1
	extern rom_%1
	jmp near rom_%1
	SLOT_END slot_%1
  %endif
 %endif
%endmacro
	VMI_FOR_EACH_CALL C_SLOT
