; SPDX-License-Identifier: GPL-2.0-only
;
; What the attacks need in assembly: ways into user mode and into trouble.

	bits 32

%define KERNEL_DS	0x68
%define USER_CS		0x73
%define USER_DS		0x7b
%define EFLAGS_IF	0x200
%define EFLAGS_TF	0x100
%define STUB_VECTOR	0x82
%define STUB_HC_DRAIN	1
%define LINEAR		0xc0000000

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

; Cases of an expected trap, as the probes of tests/guest have them.
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

	section .bss nobits alloc write align=16
	global far_cs, step_stack
try_esp:	resd 1
far_pointer:	resd 2
far_cs:		resd 1
step_esp:	resd 1
	resd 64				; what the stepped code pushes
step_stack:	resd 64
