; SPDX-License-Identifier: GPL-2.0-only
;
; The boot entry of a 64-bit guest, its trap stubs, ways into user mode, and calls
; of the ROM with all registers set.

	bits 64
	default rel

%define TEXT_BASE	0xffffffff80000000
%define KERNEL_CS	0x10
%define KERNEL_DS	0x18
%define USER_DS		0x2b
%define EFLAGS_IF	0x200
%define USER_FLAGS	EFLAGS_IF | 2

; Vectors for which the CPU pushes an error code.
%define HAS_ERROR(v) ((v) == 8 || ((v) >= 10 && (v) <= 14) || (v) == 17)

; ---- boot: Linux/x86 boot protocol, 64-bit entry ---------------------------------
;
; And, without a hypervisor, in 32-bit mode, by QEMU (PVH: ebx = struct
; hvm_start_info) or GRUB (Multiboot2), which knows no 64-bit entry of an ELF.

%define PVH_CMDLINE	24		; of struct hvm_start_info
%define CMD_LINE_PTR	0x228		; of Linux's boot parameters
%define MULTIBOOT2	0xe85250d6
%define MULTIBOOT2_SAID	0x36d76289
%define CR0_PG		0x80000000
%define CR0_WP		0x10000
%define CR4_PAE_FSGSBASE 0x10020
%define MSR_EFER	0xc0000080
%define EFER_LME	0x100

	section .note.pvh note alloc noexec nowrite align=4
	dd 4, 4, 18			; XEN_ELFNOTE_PHYS32_ENTRY
	db "Xen", 0
	dd start32

	section .boot progbits alloc exec nowrite align=4096
	align 8
multiboot2:
	dd MULTIBOOT2, 0, .end - multiboot2
	dd -(MULTIBOOT2 + .end - multiboot2)
	dw 3, 0				; the entry
	dd 12, start32, 0
	dw 0, 0
	dd 8
.end:

	bits 32
	global start32
start32:
	cli
	cld
	lea esi, [ebx + PVH_CMDLINE - CMD_LINE_PTR]
	cmp eax, MULTIBOOT2_SAID
	jne .line
	mov esi, no_line - CMD_LINE_PTR
.line:	mov edi, tables32		; 1 GB, in pages of 2 MB
	lea eax, [edi + 0x1003]
	mov [edi], eax
	add eax, 0x1000
	mov [edi + 0x1000], eax
	add edi, 0x2000
	mov eax, 0x83
.large:	mov [edi], eax
	add edi, 8
	add eax, 0x200000
	cmp eax, 0x40000000
	jb .large
	mov eax, cr4
	or eax, CR4_PAE_FSGSBASE	; the tests read the GS base
	mov cr4, eax
	mov eax, tables32
	mov cr3, eax
	mov ecx, MSR_EFER
	rdmsr
	or eax, EFER_LME
	wrmsr
	mov eax, cr0
	or eax, CR0_PG
	mov cr0, eax
	lgdt [gdt32.at]
	jmp 0x10:start

	align 8
gdt32:	dq 0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff
.at:	dw $ - gdt32 - 1
	dd gdt32
no_line:
	dd .empty
.empty:	db 0

	bits 64
	extern boot_pml4, boot_pdpt, boot_pdpt_high, boot_pd
	extern guest_start, bss_start, bss_end
	global start
start:
	cli
	cld
	mov rbx, rsi			; boot parameters
	mov rdi, bss_start - TEXT_BASE
	mov rcx, bss_end - TEXT_BASE
	sub rcx, rdi
	xor eax, eax
	rep stosb
	; 1 GB at 0 and as the last but one GB, in pages of 2 MB.
	mov rdi, boot_pd - TEXT_BASE
	mov eax, 0x83
.large:	mov [rdi], rax
	add rdi, 8
	add eax, 0x200000
	cmp eax, 0x40000000
	jb .large
	mov rax, boot_pd - TEXT_BASE + 3
	mov rdi, boot_pdpt - TEXT_BASE
	mov [rdi], rax
	mov rdi, boot_pdpt_high - TEXT_BASE
	mov [rdi + 510 * 8], rax
	mov rdi, boot_pml4 - TEXT_BASE
	mov rax, boot_pdpt - TEXT_BASE + 7
	mov [rdi], rax
	mov rax, boot_pdpt_high - TEXT_BASE + 3
	mov [rdi + 511 * 8], rax
	mov cr3, rdi
	mov rax, cr0
	or eax, CR0_WP
	mov cr0, rax
	mov rax, .high
	jmp rax

	section .text
.high:	mov rsp, boot_stack_end
	push 0				; flags as the boot protocol wants them
	popfq
	mov rdi, rbx
	xor esi, esi			; no multiboot
	xor edx, edx
	call guest_start
.stop:	cli
	hlt
	jmp .stop

; load_tables(gdt pointer, idt pointer): and all segment registers.
	global load_tables
load_tables:
	lgdt [rdi]
	lidt [rsi]
	pop rax
	push KERNEL_CS
	push rax
	mov eax, KERNEL_DS		; RPL 0, as Linux does; the ring is ours
	mov ss, eax
	mov eax, USER_DS		; a return to user mode keeps it
	mov ds, eax
	mov es, eax
	xor eax, eax
	mov fs, eax
	mov gs, eax
	o64 retf

; ---- traps -----------------------------------------------------------------------

	section .text
%assign v 0
%rep 256
stub_%[v]:
 %if !HAS_ERROR(v)
	push 0
 %endif
	push v
	jmp near trap_common
 %assign v v + 1
%endrep

	section .rodata
	global trap_stub
	align 8
trap_stub:
%assign v 0
%rep 256
	dq stub_%[v]
 %assign v v + 1
%endrep

%macro PUSH_ALL 0
	push rax
	push rcx
	push rdx
	push rbx
	push rbp
	push rsi
	push rdi
	push r8
	push r9
	push r10
	push r11
	push r12
	push r13
	push r14
	push r15
%endmacro

%macro POP_ALL 0
	pop r15
	pop r14
	pop r13
	pop r12
	pop r11
	pop r10
	pop r9
	pop r8
	pop rdi
	pop rsi
	pop rbp
	pop rbx
	pop rdx
	pop rcx
	pop rax
%endmacro

	section .text
	extern trap, do_iret
trap_common:				; builds struct frame
	PUSH_ALL
	cld
	mov rdi, rsp
	mov rbx, rsp
	and rsp, -16
	call trap
	mov rsp, rbx
	POP_ALL
	add rsp, 16			; vector, error
	jmp [do_iret]

	global native_iret, native_swapgs_iret, iret_site
native_swapgs_iret:
	swapgs
native_iret:
	iretq

; What SetIRETSite is told: never executed.
iret_site:
	ud2

; ---- into user mode and back ---------------------------------------------------------

; run_user(struct user *): all registers in PUSH_ALL's order, then rip, cs, flags,
; rsp, ss. It returns when resume_kernel() is called.
	global run_user
	extern enter_kernel_stack, user_return
run_user:
	push rbx
	push rbp
	push r12
	push r13
	push r14
	push r15
	push rdi
	mov [resume_rsp], rsp
	mov rdi, rsp
	call enter_kernel_stack
	mov rsi, [rsp]
	sub rsp, 20 * 8
	mov rdi, rsp
	mov ecx, 20
	rep movsq
	POP_ALL
	jmp [user_return]

	global resume_kernel
resume_kernel:
	mov rsp, [resume_rsp]
	pop rdi
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbp
	pop rbx
	ret

; Where SYSCALL goes: it notes what it finds, struct seen.
%macro SYSCALL_TARGET 2
	global %1
%1:	mov [seen.rsp], rsp
	mov rsp, [resume_rsp]
	mov dword [seen.which], %2
	mov [seen.rax], rax
	mov [seen.rcx], rcx
	mov [seen.r11], r11
	mov [seen.rbx], rbx
	pushfq
	pop qword [seen.flags]
	mov eax, cs
	mov [seen.cs], eax
	mov eax, ss
	mov [seen.ss], eax
	rdgsbase rax
	mov [seen.gs_base], rax
	call syscall_seen
	jmp resume_kernel
%endmacro
	extern syscall_seen
	SYSCALL_TARGET syscall_target, 1
	SYSCALL_TARGET syscall32_target, 2

; SYSCALL in the kernel, which comes back by itself.
	global kernel_syscall, kernel_syscall_target
kernel_syscall:
	syscall
	ret
kernel_syscall_target:
	inc dword [seen.which]
	mov [seen.rcx], rcx
	push r11
	popfq
	jmp rcx

; ---- in the kernel --------------------------------------------------------------------

; iret_to_self(flags)
	global iret_to_self
iret_to_self:
	mov rax, rsp
	mov ecx, ss
	push rcx
	push rax
	push rdi
	mov ecx, cs
	push rcx
	lea rcx, [.here]
	push rcx
	jmp [do_iret]
.here:	ret

; iret_frame(frame): a jump with these five words on the stack; a trap goes on at
; the fixup, which returns its vector. The frame was at fixup_rsp - 40.
	global iret_frame, fixup_rsp
	extern fixup, fixup_vector
iret_frame:
	push rbx
	push rbp
	lea rax, [.after]
	mov [fixup], rax
	mov qword [fixup_vector], -1
	mov [fixup_rsp], rsp
	mov rsi, rdi
	sub rsp, 40
	mov rdi, rsp
	mov ecx, 5
	rep movsq
	jmp [do_iret]
.after:	mov rsp, [fixup_rsp]
	pop rbp
	pop rbx
	mov qword [fixup], 0
	mov rax, [fixup_vector]
	ret

; call_all(address, struct all *): every register is loaded from there before the
; call and stored there behind it, in PUSH_ALL's order, then the flags.
	global call_all
call_all:
	push rbx
	push rbp
	push r12
	push r13
	push r14
	push r15
	push rsi
	push rdi
	mov [all_rsp], rsp
	mov rsp, rsi
	POP_ALL
	popfq
	mov rsp, [all_rsp]
	call [rsp]
	mov [all_rsp], rsp
	mov rsp, [rsp + 8]
	lea rsp, [rsp + 16 * 8]
	pushfq
	PUSH_ALL
	mov rsp, [all_rsp]
	pop rdi
	pop rsi
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbp
	pop rbx
	ret

; Each leaves its own address behind in fixup, which a trap goes to; the vector, or
; -1.
%macro PROBE 1
	global probe_%1
probe_%1:
	lea rax, [.after]
	mov [fixup], rax
	mov qword [fixup_vector], -1
	mov [fixup_rsp], rsp
%endmacro
%macro PROBE_END 0
.after:	mov qword [fixup], 0
	mov rsp, [fixup_rsp]
	mov rax, [fixup_vector]
	ret
%endmacro
	PROBE read
	mov eax, [rdi]
	PROBE_END
	PROBE write
	mov [rdi], eax
	PROBE_END
	PROBE exec			; of what is code; RDI, RSI and RDX are its arguments
	mov rcx, rdi
	mov rdi, rsi
	mov rsi, rdx
	call rcx
	PROBE_END
	PROBE load_ds
	mov ds, edi
	PROBE_END
	PROBE int3
	int3
	PROBE_END
	PROBE ud2
	ud2
	PROBE_END
	PROBE div
	xor edx, edx
	xor ecx, ecx
	div ecx
	PROBE_END
	PROBE int80
	int 0x80
	PROBE_END

; kernel_sysret(rip): what comes of it ends at resume_kernel().
	global kernel_sysret
kernel_sysret:
	push rbx
	push rbp
	push r12
	push r13
	push r14
	push r15
	push rdi
	mov [resume_rsp], rsp
	push rdi
	mov rdi, rsp
	call enter_kernel_stack
	pop rcx
	mov r11d, USER_FLAGS
	o64 sysret

	section .boottables nobits alloc write align=4096
tables32:
	resb 3 * 4096

	section .bss nobits alloc write align=16
	resb 16384
boot_stack_end:
	global resume_rsp
resume_rsp:	resq 1
fixup_rsp:	resq 1
all_rsp:	resq 1
	global seen
seen:
.rsp:		resq 1
.rax:		resq 1
.rcx:		resq 1
.rbx:		resq 1
.r11:		resq 1
.flags:		resq 1
.gs_base:	resq 1
.cs:		resd 1
.ss:		resd 1
.which:		resd 1
		resd 1
