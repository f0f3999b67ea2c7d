; SPDX-License-Identifier: GPL-2.0-only
;
; The old client's assembly: from the boot entry to its own page tables,
; traps, the two sites that are patched to jumps, switches of tasks.

	bits 32

%include "cpu.inc"
%include "stubs.inc"

%define BASE		0xc0000000
%define BOOT_MB		8		; mapped twice before there is C
%define PTE_PW		3

%define MULTIBOOT_LOADED 0x2badb002
%define MULTIBOOT_MAGIC	0x1badb002

	section .multiboot progbits alloc noexec nowrite align=4
	dd MULTIBOOT_MAGIC, 0, -MULTIBOOT_MAGIC

; ---- before paging ------------------------------------------------------------

; Linked where it is loaded, which is where it runs.
	section .head progbits alloc exec nowrite align=4
	extern bss_start, bss_end, client_main, pae, nx
	extern boot_directory, boot_pdpt, boot_tables, boot_fixmap
	extern boot_gdt_pointer, boot_idt_pointer
	global start
start:
	cli
	cld
	mov ebp, eax
	mov edi, bss_start - BASE
	mov ecx, bss_end - BASE
	sub ecx, edi
	xor eax, eax
	rep stosb
	mov edx, [esi + 0x228]		; Linux's boot protocol
	cmp ebp, MULTIBOOT_LOADED
	jne .option
	mov edx, [ebx + 16]
.option:
	mov eax, [edx]
	test al, al
	jz .plain
	cmp eax, "=pae"
	je .pae
	inc edx
	jmp .option

; 4-byte entries: low memory at 0 and at BASE, a table for the fixmap in the
; last entry, where it stays.
.plain:	mov edi, boot_tables - BASE
	mov eax, PTE_PW
	mov ecx, BOOT_MB * 256
.pte:	stosd
	add eax, 0x1000
	loop .pte
	mov edi, boot_directory - BASE
	mov eax, boot_tables - BASE + PTE_PW
	mov ecx, BOOT_MB / 4
.pde:	mov [edi], eax
	mov [edi + 768 * 4], eax
	add edi, 4
	add eax, 0x1000
	loop .pde
	mov dword [boot_directory - BASE + 1023 * 4], boot_fixmap - BASE + PTE_PW
	mov eax, boot_directory - BASE
	jmp .on

.pae:	mov byte [pae - BASE], 1
	mov edi, boot_tables - BASE
	mov eax, PTE_PW
	mov ecx, BOOT_MB * 256
.pte8:	mov [edi], eax
	add edi, 8
	add eax, 0x1000
	loop .pte8
	mov edi, boot_directory - BASE
	mov eax, boot_tables - BASE + PTE_PW
	mov ecx, BOOT_MB / 2
.pde8:	mov [edi], eax
	mov [edi + 3 * 0x1000], eax
	add edi, 8
	add eax, 0x1000
	loop .pde8
	mov dword [boot_directory - BASE + 0x3ff8], boot_fixmap - BASE + PTE_PW
	mov edi, boot_pdpt - BASE
	mov dword [edi], boot_directory - BASE + 1
	mov dword [edi + 24], boot_directory + 0x3000 - BASE + 1
	mov eax, 0x80000001		; NX
	cpuid
	test edx, 1 << 20
	jz .no_nx
	mov byte [nx - BASE], 1
	mov ecx, 0xc0000080
	rdmsr
	or eax, 0x800
	wrmsr
.no_nx:	mov eax, 0x20			; CR4.PAE
	mov cr4, eax
	mov eax, boot_pdpt - BASE

.on:	mov cr3, eax
	mov eax, 0x80050033
	mov cr0, eax
	mov eax, high
	jmp eax

	section .text
high:	lgdt [boot_gdt_pointer]
	lidt [boot_idt_pointer]
	jmp KERNEL_CS:.cs
.cs:	mov eax, KERNEL_DS
	mov ss, eax
	mov esp, boot_stack_end
	mov eax, USER_DS
	mov ds, eax
	mov es, eax
	xor eax, eax
	mov fs, eax
	mov gs, eax
	lldt ax
	push 0
	popfd
	call client_main
.stop:	hlt
	jmp .stop

; ---- traps ------------------------------------------------------------------------

; As in old kernels the entry of page faults is in a section of its own, far
; from where all return to user mode: a ROM must not look for that around it.
	section .far progbits alloc exec nowrite align=16
stub_14:
	push 14
	jmp near trap_common

	TRAP_STUBS 14

	section .text
	extern trap, op_iret, op_sysexit
trap_common:				; builds struct frame of cpu.h
	pushad
	push ds
	push es
	mov eax, USER_DS
	mov ds, eax
	mov es, eax
	cld
	mov eax, esp
	push eax
	call trap
	add esp, 4
	global restore_all
restore_all:
	pop es
	pop ds
	popad
	add esp, 8
	global irq_return, iret_exc
irq_return:
	jmp [op_iret]			; a site: 6 bytes
irq_return_end:

; Its entry in the table of exceptions: the frame that was refused is on the
; stack as it was there.
iret_exc:
	push 0
	push 0x100			; no vector: a bad IRET
	jmp trap_common

; ---- SYSENTER: esp points behind the TSS ---------------------------------------------

%define TSS_SIZE	104
	global sysenter_entry
	extern sysenter_call, vmi_entry
sysenter_entry:
	mov esp, [esp - TSS_SIZE + 4]	; sp0
enable_site:
	call [vmi_entry + 4 * 29]	; EnableInterrupts: eax is live
enable_site_end:
	push USER_DS
	push ebp			; the user's esp
	pushfd
	or dword [esp], EFLAGS_IF
	push USER_CS
	push dword [ebp]		; where the user wants to go on
	push 0
	push 0x80
	pushad
	push ds
	push es
	mov eax, esp
	push eax
	call sysenter_call
	add esp, 4
	mov eax, [esp + 8 + 28]		; its result
disable_site:
	call [vmi_entry + 4 * 30]	; DisableInterrupts: eax is live
disable_site_end:
	mov edx, [esp + 48]
	mov ecx, [esp + 60]
	mov ebx, [esp + 8 + 16]
	mov esi, [esp + 8 + 4]
	mov edi, [esp + 8]
	xor ebp, ebp
sysexit_site:
	jmp [op_sysexit]		; a site: esp is where it is
sysexit_site_end:

%macro SITE 2
	dd %1, %2, %1_end - %1
%endmacro
	section .sites progbits alloc noexec nowrite align=4
	SITE irq_return, 33
	SITE sysexit_site, 34
	SITE enable_site, 29
	SITE disable_site, 30

; ---- tasks ------------------------------------------------------------------------------

	section .text
; switch_to(&prev->esp, next->esp): PUSHF and POPF as they are.
	global switch_to, ret_from_fork
	extern schedule_tail
switch_to:
	mov eax, [esp + 4]
	mov edx, [esp + 8]
	pushfd
	push ebp
	push ebx
	push esi
	push edi
	mov [eax], esp
	mov esp, edx
	pop edi
	pop esi
	pop ebx
	pop ebp
	popfd
	ret

ret_from_fork:
	call schedule_tail
	push 0x202
	popfd
	push 2
	popfd
	jmp restore_all

; A kernel thread's hand-made frame, through the same IRET.
; kernel_thread(function, cs): returns when the function has.
	global kernel_thread
kernel_thread:
	mov eax, [esp + 4]
	mov edx, [esp + 8]
	push ebx
	push .done			; where the function returns to
	push 0x286			; IF, SF, PF
	push edx
	push eax
	jmp irq_return
.done:	pop ebx
	ret

; kernel_int80(eax): three words, and back.
	global kernel_int80
kernel_int80:
	mov eax, [esp + 4]
	push ebx
	int 0x80
	pop ebx
	ret

; Into user mode from a frame that C has built.
	global enter_frame
enter_frame:
	mov esp, [esp + 4]
	jmp restore_all

	global native_iret, native_sysexit
native_iret:
	iretd
native_sysexit:
	sti
	sysexit

; probe_write(va): 1 if it faults.
	global wp_write, wp_fixup
wp_write:
	mov edx, [esp + 4]
	mov eax, 1
	mov cl, [edx]
.at:	mov [edx], cl
	xor eax, eax
wp_fixup:
	ret

	section .bss nobits alloc write align=16
	resb 8192
boot_stack_end:
