; SPDX-License-Identifier: GPL-2.0-only
;
; The boot entry, trap stubs, ways into user mode.

	bits 32

%include "cpu.inc"
%include "stubs.inc"

; ---- boot: Linux/x86 boot protocol, 32-bit entry, or multiboot ---------------

; Plain QEMU loads an ELF kernel by its multiboot header (specification 0.6.96).
%define MULTIBOOT_MAGIC	0x1badb002
%define MULTIBOOT_FLAGS	0

	section .multiboot progbits alloc noexec nowrite align=4
	dd MULTIBOOT_MAGIC, MULTIBOOT_FLAGS
	dd -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

	section .text

	global start
	extern guest_start, bss_start, bss_end
start:
	cli
	cld
	mov ebp, eax			; multiboot: its magic; ebx: information
	mov esp, boot_stack_end
	mov edi, bss_start
	mov ecx, bss_end
	sub ecx, edi
	xor eax, eax
	rep stosb
	push 0				; flags as the boot protocol wants them
	popfd
	push ebx
	push ebp
	push esi			; boot parameters
	call guest_start
.stop:	hlt
	jmp .stop

; load_tables(gdt pointer, idt pointer): and all segment registers.
	global load_tables
load_tables:
	mov eax, [esp + 4]
	lgdt [eax]
	mov eax, [esp + 8]
	lidt [eax]
	jmp KERNEL_CS:.cs
.cs:	mov eax, KERNEL_DS		; RPL 0, as Linux does; the ring is ours
	mov ss, ax
	mov eax, USER_DS
	mov ds, ax
	mov es, ax
	xor eax, eax
	mov fs, ax
	mov gs, ax
	ret

; ---- traps -----------------------------------------------------------------------

	TRAP_STUBS

	section .text
	extern trap
trap_common:				; builds struct frame
	pushad
	push ds
	push es
	mov eax, USER_DS
	mov ds, ax
	mov es, ax
	cld
	mov eax, esp
	push eax
	call trap
	add esp, 4
	pop es
	pop ds
	popad
	add esp, 8			; vector, error
	jmp near RETURN

; The one IRET of the kernel runs where linear slot 0 shows it: there the
; hypervisor looks for the jump to its entry.
	global iret_site
iret_site:
	iretd				; patched to a jump into the ROM
	times 4 nop

; ---- into user mode ---------------------------------------------------------------

; run_user(eip, esp, eax, ebx, sysexit)
	global run_user
	extern enter_kernel_stack, sysexit_entry
run_user:
	pushad
	mov eax, esp
	push eax
	call enter_kernel_stack		; UpdateKernelStack
	pop eax
	mov [resume_esp], esp
	mov edx, [esp + 32 + 4]
	mov ecx, [esp + 32 + 8]
	mov eax, [esp + 32 + 12]
	mov ebx, [esp + 32 + 16]
	cmp dword [esp + 32 + 20], 0
	jne .sysexit
	push USER_DS
	push ecx
	push EFLAGS_IF | 2
	push USER_CS
	push edx
	jmp near RETURN
.sysexit:
	jmp [sysexit_entry]

; resume_kernel(): a trap from user mode ends here; never returns.
	global resume_kernel
resume_kernel:
	mov esp, [resume_esp]
	popad
	ret

; ---- IRET inside the kernel --------------------------------------------------------

	global iret_to_self
iret_to_self:
	push EFLAGS_IF | 2
	push cs
	push .here
	jmp near RETURN
.here:	ret

; ---- probes: each leaves its own address behind in fixup ------------------------

%macro PROBE 1
	global probe_%1
probe_%1:
	mov dword [fixup], .after
	mov dword [fixup_vector], -1
	mov ecx, [esp + 4]
	mov [fixup_esp], esp
%endmacro
%macro PROBE_END 0
.after:	mov dword [fixup], 0
	mov esp, [fixup_esp]
	mov eax, [fixup_vector]
	ret
%endmacro
	extern fixup, fixup_vector
	PROBE read
	mov eax, [ecx]
	PROBE_END
	PROBE write
	mov [ecx], eax
	PROBE_END
	PROBE exec
	call ecx
	PROBE_END

	section .bss nobits alloc write align=16
	resb 16384
boot_stack_end:
	global resume_esp
resume_esp:	resd 1
fixup_esp:	resd 1
