; SPDX-License-Identifier: GPL-2.0-only
; What runs in user mode, copied to a user page: position independent, each
; ends in a trap. ebx is an address.

	bits 32

	section .text

	global user_code, user_code_end
	global user_syscall, user_read, user_write, user_spin
user_code:
user_syscall:	int 0x80
user_read:	mov ecx, [ebx]
		int 0x80
user_write:	mov [ebx], eax
		int 0x80
; Waits until the word at ebx changes from eax.
user_spin:	cmp [ebx], eax
		je user_spin
		int 0x80
user_code_end:
