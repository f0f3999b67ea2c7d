; SPDX-License-Identifier: GPL-2.0-only
;
; What is timed, between two readings of the TSC of which each counts the
; instructions so far. The constants say how many of those between are ours;
; main.c proves the first two before it believes any figure.

	bits 32

%define USER_CS		0x73
%define USER_DS		0x7b
%define EFLAGS_IF	0x200

	global started, stopped, landed
	section .bss nobits alloc write align=4
started:	resd 1			; TSC before the call
stopped:	resd 1			; ... after it
landed:		resd 1			; ... in the handler that it led to
saved_edx:	resd 1

	section .text

; timed_call(const struct call *): OURS_CALL = 6 from the first RDTSC to the
; first instruction of the entry.
	global timed_call
timed_call:
	push ebx
	push esi
	push edi
	push ebp
	mov ebp, [esp + 20]
	push dword [ebp + 16]
	push dword [ebp + 12]
	rdtsc
	mov [started], eax
	mov eax, [ebp]
	mov edx, [ebp + 4]
	mov ecx, [ebp + 8]
	call [ebp + 20]
	rdtsc
	mov [stopped], eax
	add esp, 8
	pop ebp
	pop edi
	pop esi
	pop ebx
	ret

; ---- entries that are not in the ROM ---------------------------------------

	global empty_call, empty_landing, touch_read, touch_write, touched
	global do_cli, do_read_cr3, do_in
empty_call:
	ret
touch_read:
	mov ecx, [ecx]
touched:
	ret
touch_write:
	mov [ecx], ecx
	ret
do_cli:	cli
	ret
do_read_cr3:
	mov eax, cr3
	ret
do_in:	in al, 0x21
	ret

; ---- handlers: OURS_LANDING = 2 before the RDTSC ---------------------------

%macro LAND 0
	push eax
	push edx
	rdtsc
	mov [landed], eax
	pop edx
	pop eax
%endmacro

empty_landing:
	LAND
	ret

	extern trap_stub
%macro LANDING 1
	global landing_%1
landing_%1:
	LAND
	jmp [trap_stub + %1 * 4]
%endmacro
	LANDING 0x0e
	LANDING 0x20
	LANDING 0x80

; ---- returns: OURS_JUMP = 3 from the RDTSC to the entry --------------------

; iret_to_label(entry): to the instruction behind, in the kernel, IF as
; iret_flags says.
	global iret_to_label, iret_flags
	section .data align=4
iret_flags:	dd EFLAGS_IF | 2
	section .text
iret_to_label:
	mov ecx, [esp + 4]
	push dword [iret_flags]
	push cs
	push .here
	rdtsc
	mov [started], eax
	jmp ecx
.here:	rdtsc
	mov [stopped], eax
	ret

; For run_user(), whose last step is the jump to sysexit_entry: edx = eip,
; ecx = esp.
	global timed_user_iret, timed_user_sysexit, user_iret, user_sysexit
timed_user_iret:
	push USER_DS
	push ecx
	push EFLAGS_IF | 2
	push USER_CS
	push edx
	rdtsc
	mov [started], eax
	jmp [user_iret]
timed_user_sysexit:
	mov [saved_edx], edx
	rdtsc
	mov [started], eax
	mov edx, [saved_edx]
	jmp [user_sysexit]
	section .bss
user_iret:	resd 1
user_sysexit:	resd 1
	section .text

; ---- in user mode: esi is the TSC at its first instruction -----------------

	global user_timed, user_timed_end
	global user_timed_syscall, user_timed_read
user_timed:
user_timed_syscall:
	rdtsc
	mov esi, eax
	int 0x80
user_timed_read:
	rdtsc
	mov esi, eax
	mov ecx, [ebx]
	int 0x80
user_timed_end:
