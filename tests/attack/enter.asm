; SPDX-License-Identifier: GPL-2.0-only
;
; What the attacks need in assembly: ways into user mode and into trouble.

	bits 32

%include "cpu.inc"

%define EFLAGS_TF	0x100
%define STUB_VECTOR	0x82
%define STUB_HC_DRAIN	1
%define STUB_HC_IRET	4
%define U_CODE		0x40000000
%define U_STACK_END	0x40002000

	extern spare_table, resume_esp, fixup, fixup_vector, iret_site

	section .text

; enter_user(eip, esp, iret)
	global enter_user, plain_iret
enter_user:
	pushad
	mov [resume_esp], esp
	mov eax, [esp + 32 + 4]
	mov ecx, [esp + 32 + 8]
	mov edx, [esp + 32 + 12]
	push USER_DS
	push ecx
	push EFLAGS_IF | 2
	push USER_CS
	push eax
	jmp edx
plain_iret:
	iretd

; run_user_with(eip, ebx, ecx, edx)
	global run_user_with
	extern enter_kernel_stack
run_user_with:
	pushad
	mov eax, esp
	push eax
	call enter_kernel_stack
	pop eax
	mov [resume_esp], esp
	mov esi, [esp + 32 + 4]
	mov ebx, [esp + 32 + 8]
	mov ecx, [esp + 32 + 12]
	mov edx, [esp + 32 + 16]
	mov edi, ebx
	lea eax, [ebx + 4096]
	push USER_DS
	push eax
	push EFLAGS_IF | 2
	push USER_CS
	push esi
	mov esi, ebx
	xor eax, eax
	xor ebp, ebp
	jmp iret_site + LINEAR

; run_kernel(eip, eax, ebx, ecx, edx)
	global run_kernel
run_kernel:
	pushad
	mov dword [fixup], .after
	mov dword [fixup_vector], -1
	mov [try_esp], esp
	mov esi, [esp + 32 + 4]
	mov eax, [esp + 32 + 8]
	mov ebx, [esp + 32 + 12]
	mov ecx, [esp + 32 + 16]
	mov edx, [esp + 32 + 20]
	mov edi, ebx
	xor ebp, ebp
	push .after
	push esi
	mov esi, ebx
	ret
.after:	mov dword [fixup], 0
	mov esp, [try_esp]
	push 2
	popfd
	popad
	mov eax, [fixup_vector]
	ret

; enter_vm86(cs, eip, eflags): SDM Vol. 3, 20.2.5 has the frame. Refused with
; #GP, it returns 13; resume_kernel() makes it return 0.
	global enter_vm86
enter_vm86:
	mov eax, [esp + 4]
	mov ecx, [esp + 8]
	mov edx, [esp + 12]
	mov dword [fixup], .refused
	mov [try_esp], esp
	push .back
	pushad
	mov [resume_esp], esp
	push 0				; gs
	push 0				; fs
	push 0				; ds
	push 0				; es
	push 0				; ss: good for ring 0
	push 0x8000			; esp
	push edx
	push eax
	push ecx
	iretd
.refused:
	mov esp, [try_esp]
	mov dword [fixup], 0
	mov eax, [fixup_vector]
	ret
.back:	mov eax, USER_DS
	mov ds, eax
	mov es, eax
	mov dword [fixup], 0
	xor eax, eax
	ret

; Cases of an expected trap, as the probes of tests/lib have them.
%macro TRY 1
	global %1
%1:	mov dword [fixup], .after
	mov dword [fixup_vector], -1
	mov ecx, [esp + 4]
	mov edx, [esp + 8]
	mov [try_esp], esp
%endmacro
%macro TRY_END 0
.after:	mov dword [fixup], 0
	mov esp, [try_esp]
	mov eax, [fixup_vector]
	ret
%endmacro

	TRY far_call
	mov [far_pointer + 4], cx
	mov dword [far_pointer], far_target
	mov dword [far_cs], 0
	call far [far_pointer]
	TRY_END

	TRY load_es
	mov es, ecx
	TRY_END

	TRY native_rdtsc
	rdtsc
	TRY_END

	TRY iret_to
	push EFLAGS_IF | 2
	push ecx
	push .after
	jmp edx
	TRY_END

	TRY iret_user_to
	push USER_DS
	push U_STACK_END
	push EFLAGS_IF | 2
	push ecx
	push edx
	jmp iret_site + LINEAR
	TRY_END

	TRY iret_user_ss
	push ecx
	push U_STACK_END
	push EFLAGS_IF | 2
	push USER_CS
	push edx
	jmp iret_site + LINEAR
	TRY_END

	TRY iret_by_hypercall
	push dword [ecx + 12]
	push dword [ecx + 8]
	push dword [ecx + 4]
	push dword [ecx]
	push .after
	push eax
	mov eax, edx
	int STUB_VECTOR
	TRY_END

; iret_from(esp, code): there with this ESP; the vector that it raised, or -1,
; when a trap from user mode has ended what it led to
	global iret_from
iret_from:
	pushad
	mov [resume_esp], esp
	mov dword [fixup], .after
	mov dword [fixup_vector], -1
	mov edx, [esp + 32 + 8]
	mov esp, [esp + 32 + 4]
	jmp edx
.after:	mov esp, [resume_esp]
	popad
	mov eax, [fixup_vector]
	ret

; For iret_from(): the frame behind a saved EAX, to the hypervisor.
	global hc_iret
hc_iret:
	mov eax, STUB_HC_IRET
	int STUB_VECTOR

; iret_by(entry, eflags)
	global iret_by
iret_by:
	pushad
	mov dword [fixup], .after
	mov dword [fixup_vector], -1
	mov [try_esp], esp
	mov eax, [esp + 32 + 4]
	mov edx, [esp + 32 + 8]
	mov ebx, spare_table
	mov ecx, ebx
	mov esi, ebx
	mov edi, ebx
	mov ebp, ebx
	push edx
	push cs
	push .after
	push eax
	mov eax, STUB_HC_DRAIN		; should it come to a hypercall
	ret
.after:	mov dword [fixup], 0
	mov esp, [try_esp]
	push 2
	popfd
	popad
	mov eax, [fixup_vector]
	ret

; A CPU holds a data breakpoint of MOV SS back, to behind the INT.
	TRY load_ss_and_call
	mov eax, edx
	xor edx, edx
	mov ss, [ecx]
	int STUB_VECTOR
	TRY_END

far_target:
	mov ecx, cs
	mov [far_cs], ecx
	retf

; step_from(eip, value)
	global step_from
step_from:
	mov dword [fixup], stepped_out
	pushad
	mov [step_esp], esp
	mov ecx, [esp + 32 + 4]
	mov eax, [esp + 32 + 8]
	mov esp, step_stack
	mov ebx, eax
	mov edx, eax
	mov esi, eax
	mov edi, eax
	mov ebp, eax
	push ecx
	mov ecx, eax
	push EFLAGS_TF | 2
	popfd
	ret
	global stepped_out
stepped_out:
	push 2
	popfd
	mov dword [fixup], 0
	mov esp, [step_esp]
	popad
	ret

; ---- steps.c: struct step_call ------------------------------------------------

%define SHARED		0xfc010000
%define SHARED_FLAGS	SHARED + 4
%define SHARED_TSC_BASE	SHARED + 0x98
%define SHARED_EXPIRY	SHARED + 0xb0
%define SHARED_PERIOD	SHARED + 0xb8
%define STUB_HC_SET_ALARM 25

struc STEP
.delay	resd 1
.entry	resd 1
.in	resd 3
.stack	resd 1
.time	resd 1
.flags	resd 1
.out	resd 8
.eflags	resd 1
.mask	resd 1
.called	resd 1
.done	resd 1
.esp	resd 1
.iret	resd 1
.sysexit resd 1
endstruc

	extern the_call
	global step_run, step_finish
step_run:
	pushad
	mov [the_call + STEP.esp], esp
	mov dword [the_call + STEP.called], .returned
	mov dword [the_call + STEP.done], 0
	rdtsc
	sub eax, [SHARED_TSC_BASE]
	sbb edx, [SHARED_TSC_BASE + 4]
	add eax, [the_call + STEP.time]
	adc edx, 0
	mov [SHARED_EXPIRY], eax
	mov [SHARED_EXPIRY + 4], edx
	xor edx, edx
	mov [SHARED_PERIOD], edx
	mov [SHARED_PERIOD + 4], edx
	xor ecx, ecx
	mov eax, STUB_HC_SET_ALARM
	int STUB_VECTOR
	mov eax, [the_call + STEP.flags]
	or [SHARED_FLAGS], eax
	push 0
	push dword [the_call + STEP.stack]
	mov ebx, 0x0b0b0b0b
	mov esi, 0x51515151
	mov edi, 0xd1d1d1d1
	mov ebp, 0x6b6b6b6b
; delay instructions, and a constant number
	mov ecx, [the_call + STEP.delay]
	mov edx, ecx
	and edx, 1
	shr ecx, 1
.delay:	dec ecx
	jnz .delay
	test edx, edx
	jz .even
	nop
.even:	mov eax, [the_call + STEP.in]
	mov ecx, [the_call + STEP.in + 4]
	mov edx, [the_call + STEP.in + 8]
	call [the_call + STEP.entry]
.returned:
	mov dword [the_call + STEP.done], 1
	mov [the_call + STEP.out], eax
	mov [the_call + STEP.out + 4], ecx
	mov [the_call + STEP.out + 8], edx
	mov [the_call + STEP.out + 12], ebx
	mov [the_call + STEP.out + 16], esi
	mov [the_call + STEP.out + 20], edi
	mov [the_call + STEP.out + 24], ebp
	pushfd
	pop dword [the_call + STEP.eflags]
	mov eax, esp
	sub eax, [the_call + STEP.esp]
	mov [the_call + STEP.out + 28], eax
	mov eax, [SHARED_FLAGS]
	mov [the_call + STEP.mask], eax
step_finish:
	cld
	mov esp, [the_call + STEP.esp]
	popad
	ret

	global step_iret_on, step_iret_off, step_iret_user, step_sysexit
step_iret_on:
	pop dword [step_return]
	push EFLAGS_IF | 2
	jmp step_iret
step_iret_off:
	pop dword [step_return]
	push 2
step_iret:
	push cs
	push dword [step_return]
	jmp [the_call + STEP.iret]
step_iret_user:
	push USER_DS
	push U_STACK_END
	push EFLAGS_IF | 2
	push USER_CS
	push U_CODE
	jmp [the_call + STEP.iret]
step_sysexit:
	mov edx, U_CODE
	mov ecx, U_STACK_END
	jmp [the_call + STEP.sysexit]
	global step_end
step_end:

; ---- race_apic.c -------------------------------------------------------------

	global race_begins
race_begins:
	mov [race_generation], eax
.end:	pause
	jmp .end

; ---- race_cpu.c: where a jump to the ROM's IRET may stand ------------------------

	global race_places
race_places:
	times 4 * 16 nop

	section .bss nobits alloc write align=16
	global race_generation
race_generation: resd 1
step_return:	resd 1
	global far_cs, step_stack
try_esp:	resd 1
far_pointer:	resd 2
far_cs:		resd 1
step_esp:	resd 1
	resd 64				; what the stepped code pushes
step_stack:	resd 64
