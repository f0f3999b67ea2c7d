; SPDX-License-Identifier: GPL-2.0-only
;
; Guest memory by linear address, through the tables that are loaded.

bits 64
global copy_fixup

section .text

; uint32_t copy_fixup(void *dst, const void *src, uint32_t len)
; Words first: the frames and descriptors that we copy are made of them.
copy_fixup:
	mov	ecx, edx
	shr	ecx, 2
.words:	rep movsd
	mov	ecx, edx
	and	ecx, 3
.bytes:	rep movsb
	mov	eax, ecx
	ret
.word_fault:
	and	edx, 3
	lea	eax, [rdx + rcx * 4]
	ret
.byte_fault:
	mov	eax, ecx
	ret

; Where a fault of an instruction leads (hv_fault).
section extable progbits alloc noexec nowrite align=8
	dq copy_fixup.words, copy_fixup.word_fault
	dq copy_fixup.bytes, copy_fixup.byte_fault
