; SPDX-License-Identifier: GPL-2.0-only
; Where a further processor begins that notes what its block has given it.

	bits 32

	extern processor_entry

%macro NOTE 2
	mov [ss:dumped + 4 * %1], %2
%endmacro
%macro NOTE_SEGMENT 2
	mov eax, %2
	NOTE %1, eax
%endmacro

	section .text

	global dump_entry
dump_entry:
	NOTE 0, eax
	NOTE 1, ebx
	NOTE 2, ecx
	NOTE 3, edx
	NOTE 4, esi
	NOTE 5, edi
	NOTE 6, ebp
	NOTE 7, esp
	pushfd
	pop eax
	NOTE 8, eax
	NOTE_SEGMENT 9, cs
	NOTE_SEGMENT 10, ss
	NOTE_SEGMENT 11, ds
	NOTE_SEGMENT 12, es
	NOTE_SEGMENT 13, fs
	NOTE_SEGMENT 14, gs
	mov eax, 0x7b
	mov ds, eax
	mov es, eax
	cld
	inc dword [dumps]
	mov eax, [dump_processor]
	mov esp, [dump_stack]
	jmp processor_entry

	section .bss nobits alloc write align=4
	global dumped, dumps, dump_processor, dump_stack
dumped:		resd 15
dumps:		resd 1
dump_processor:	resd 1
dump_stack:	resd 1
