; SPDX-License-Identifier: GPL-2.0-only
;
; What every backend shares: the header, the two fixed entries, the slots.
; One backend's answers.inc and hot.asm come in through the include path, so
; adding a backend touches no other file.
;
; The code below runs where the BIOS left the image, before anybody relocates
; it: no absolute addresses here.

%include "layout.inc"
%include "answers.inc"

; Widths differ in little more than their names.
%if ROM_WIDTH == 64
 %define ROM_SIGNATURE	VMI64_SIGNATURE
 %define ROM_API_MINOR	VMI64_API_MINOR
 %define ROM_API_MAJOR	VMI64_API_MAJOR
 %define ROM_BANNER	" ROM, VMI-64 "
%else
 %define ROM_SIGNATURE	VMI_SIGNATURE
 %define ROM_API_MINOR	VMI_API_MINOR
 %define ROM_API_MAJOR	VMI_API_MAJOR
 %define ROM_BANNER	" ROM, VMI "
%endif

	section .header progbits alloc exec nowrite align=1
	bits ROM_WIDTH

; ---- struct vmi_rom_header (VMI-2.2) ----------------------------------------

header:
	dw VMI_ROM_MAGIC
	db 0				; length, set by vmi-rom finish
	bits 16
	jmp near bios_init		; the BIOS far-calls offset 3
	nop
	bits ROM_WIDTH
	db 0				; checksum, set by vmi-rom finish
	dd ROM_SIGNATURE
	db ROM_API_MINOR
	db ROM_API_MAJOR
	db 2				; fixed entries
	db 0
virtual_top:
	dd ROM_VIRTUAL_TOP & 0xffffffff
	dw 0
	dw license - header
	dw pci - header
	dw pnp - header
	dd 0
	ROM_PRIVATE_HEADER		; reserved3 is the vendor's
	times VMI_ROM_INFO_OFFSET - ($ - header) db 0
	dd VMI_ROM_INFO_MAGIC		; struct vmi_rom_info
	dw answers - header, ROM_SLOTS, ROM_SLOT_SIZE, ROM_CALL_COUNT
	times VMI_ENTRY_INIT - ($ - header) db 0

	extern rom_Init
	jmp near rom_Init		; VMI-2.4
	times VMI_ENTRY_RELOC - ($ - header) db 0xcc
	jmp near get_relocation		; VMI-2.5
	times vmi_rom_header_size - ($ - header) db 0xcc

pci:					; struct vmi_pci_data
	dd VMI_PCI_SIGNATURE
	dw VMI_PCI_VENDOR, VMI_PCI_DEVICE
	dw 0
	dw vmi_pci_data_size
	db 0
	db 0, 0, 0xff			; class: none of the others
	dw 0				; image length, set by vmi-rom finish
	db ROM_VERSION_MINOR, ROM_VERSION_MAJOR
	db 0				; PC-AT code
	db 0x80				; last image
	dw 0

	align 16, db 0			; the PnP specification wants it so
pnp:					; struct vmi_pnp_header
	dd VMI_PNP_SIGNATURE
	db 1
	db vmi_pnp_header_size / 16
	dw 0
	db 0
	db 0				; checksum, set by vmi-rom finish
	dd 0
	dw manufacturer - header
	dw product - header
	db 0, 0, 0xff
	db 0
	dw 0, 0, 0, 0, 0

license:	db "GPL v2", 0
manufacturer:	db "OpenVMI", 0
product:	db ROM_PRODUCT, 0

; ---- the BIOS entry -----------------------------------------------------------

; A backend that wants memory gets it here, while the BIOS leaves the image
; writable (VMI-2.3.5): ROM_BIOS_INIT is a routine of its own, near-called in
; real mode. Every register may change but CS, SS, SP and DS.
%ifdef ROM_BIOS_INIT
bios_backend:
	dd ROM_BIOS_INIT
%endif

; Real mode, CS:0 = the image. Shows one line and returns; ax = 0 tells a
; PnP BIOS that no boot device was hooked.
	bits 16
bios_init:
	pushf
	pushad
	push es
	cld
	mov si, manufacturer - header
	call print
	mov si, banner - header
	call print
	mov si, product - header
	call print
	mov si, newline - header
	call print
%ifdef ROM_BIOS_INIT
	call [cs:bios_backend - header]
%endif
	pop es
	popad
	popf
	xor ax, ax
	retf

; In si = offset of a string in this image.
print:	cs lodsb
	test al, al
	jz .done
	push si				; not every BIOS preserves it
	mov ah, 0x0e
	mov bx, 7
	int 0x10
	pop si
	jmp print
.done:	ret

banner:		db ROM_BANNER, '0' + ROM_API_MAJOR, ".", '0' + ROM_API_MINOR, ": ", 0
newline:	db 13, 10, 0

; ---- get-relocation -----------------------------------------------------------

	bits ROM_WIDTH
get_relocation:
%if ROM_WIDTH == 64
; In edi = call number; out rax = address, edx = type. The image itself is the
; place that counts, or virtual_top, sign-extended (VMI64-2.3).
	mov edi, edi			; what is above may be anything
	cmp edi, ROM_CALL_COUNT
	jae .unknown
	lea rax, [rel header]
	movzx edx, byte [rax + rdi + answers - header]
	movsxd rcx, dword [rax + virtual_top - header]
	test rcx, rcx
	cmovnz rax, rcx			; there is a working copy
	imul edi, edi, ROM_SLOT_SIZE
	lea rax, [rax + rdi + ROM_SLOTS]
	ret
%else
; In eax = call number; out eax = address, dl = type. May clobber ecx.
	call .here
.here:	pop ecx
	sub ecx, .here - header		; this image
	cmp eax, ROM_CALL_COUNT
	jae .unknown
	movzx edx, byte [ecx + eax + answers - header]
	imul eax, eax, ROM_SLOT_SIZE
	cmp dword [ecx + virtual_top - header], 0
	je .image			; there is no working copy but this
	mov ecx, [ecx + virtual_top - header]
.image:	lea eax, [ecx + eax + ROM_SLOTS]
	ret
%endif
.unknown:
	xor eax, eax
	xor edx, edx			; VMI_RELOC_NONE
	ret

; The type of each call by number; numbers without a call answer none.
%macro NOTE_ANSWER 1
 %ifndef ANSWER_%1
  %error no ANSWER for %1
 %endif
 %assign TYPE_%[ROM_CALL_%1] ANSWER_%1
%endmacro
	ROM_FOR_EACH_CALL NOTE_ANSWER

answers:
%assign nr 0
%rep ROM_CALL_COUNT
 %ifdef TYPE_%[nr]
	db TYPE_%[nr]
 %else
	db VMI_RELOC_NONE
 %endif
 %assign nr nr + 1
%endrep
	times ROM_SLOTS - ($ - header) db 0

; ---- the slots -------------------------------------------------------------------

	section .text
%include "hot.asm"

%macro FILL_SLOT 1
 %assign FILLED_%[ROM_CALL_%1] 1
 %assign %%callable ANSWER_%1 == VMI_RELOC_CALL || ANSWER_%1 == VMI_RELOC_JUMP
 %ifdef ENTRY_%1
  %if %%callable == 0
   %error %1 has an ENTRY that its ANSWER does not use
  %endif
 %else
	SLOT_BEGIN ROM_CALL_%1
%%slot:
  %if %%callable
	extern rom_%1
	jmp near rom_%1
  %elif ANSWER_%1 == VMI_RELOC_NOP
	ret				; right even for a guest that calls it
  %else
	ud2
  %endif
	SLOT_END %%slot
 %endif
%endmacro
	ROM_FOR_EACH_CALL FILL_SLOT

%assign nr 0
%rep ROM_CALL_COUNT
 %ifndef FILLED_%[nr]
	SLOT_BEGIN nr
unassigned_%[nr]:
	ud2
	SLOT_END unassigned_%[nr]
 %endif
 %assign nr nr + 1
%endrep
