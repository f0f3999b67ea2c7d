; SPDX-License-Identifier: GPL-2.0-only
;
; Calls with known values in all registers, ways into user mode with any
; frame, instructions that fault, and what runs in user mode.

	bits 32

%include "cpu.inc"

	extern iret_site, enter_kernel_stack, resume_esp, sysexit_entry
	extern fixup, fixup_vector

struc poison
.eax:	resd 1
.ebx:	resd 1
.ecx:	resd 1
.edx:	resd 1
.esi:	resd 1
.edi:	resd 1
.ebp:	resd 1
.ds:	resd 1
.es:	resd 1
.fs:	resd 1
.gs:	resd 1
.stack:	resd 4
.entry:	resd 1
.flags_before:	resd 1
.flags_after:	resd 1
.esp_before:	resd 1
.esp_after:	resd 1
.faulted:	resd 1
endstruc

	section .text

; poisoned_call(p): DS may be anything at the call, SS is flat.
	global poisoned_call
poisoned_call:
	pushad
	mov eax, [esp + 36]
	push ds
	push es
	push fs
	push gs
	mov [saved_p], eax
	mov [saved_esp], esp
	mov dword [fixup], .fault
%assign i 3
%rep 4
	push dword [eax + poison.stack + 4 * i]
 %assign i i - 1
%endrep
	mov [eax + poison.esp_before], esp
	mov ecx, [eax + poison.entry]
	mov [entry], ecx
	mov ecx, [eax + poison.fs]
	mov fs, ecx
	mov ecx, [eax + poison.gs]
	mov gs, ecx
	mov ecx, [eax + poison.es]
	mov es, ecx
	mov ebx, [eax + poison.ebx]
	mov edx, [eax + poison.edx]
	mov esi, [eax + poison.esi]
	mov edi, [eax + poison.edi]
	mov ebp, [eax + poison.ebp]
	mov ecx, [eax + poison.ds]
	mov ds, ecx
	mov ecx, [ss:eax + poison.ecx]
	pushfd
	pop dword [ss:eax + poison.flags_before]
	mov eax, [ss:eax + poison.eax]
	call [ss:entry]
	mov [ss:entry], eax
	mov eax, [ss:saved_p]
	pushfd
	pop dword [ss:eax + poison.flags_after]
	cld
	mov [ss:eax + poison.esp_after], esp
	mov [ss:eax + poison.ebx], ebx
	mov [ss:eax + poison.ecx], ecx
	mov [ss:eax + poison.edx], edx
	mov [ss:eax + poison.esi], esi
	mov [ss:eax + poison.edi], edi
	mov [ss:eax + poison.ebp], ebp
	mov ecx, [ss:entry]
	mov [ss:eax + poison.eax], ecx
	mov ecx, ds
	mov [ss:eax + poison.ds], ecx
	mov ecx, es
	mov [ss:eax + poison.es], ecx
	mov ecx, fs
	mov [ss:eax + poison.fs], ecx
	mov ecx, gs
	mov [ss:eax + poison.gs], ecx
%assign i 0
%rep 4
	mov ecx, [esp + 4 * i]
	mov [ss:eax + poison.stack + 4 * i], ecx
 %assign i i + 1
%endrep
.out:	mov dword [ss:fixup], 0
	mov esp, [ss:saved_esp]
	pop gs
	pop fs
	pop es
	pop ds
	popad
	ret
.fault:	mov eax, [ss:saved_p]
	mov dword [ss:eax + poison.faulted], 1
	jmp .out

; ---- into user mode ---------------------------------------------------------

struc user
.eip:	resd 1
.cs:	resd 1
.eflags: resd 1
.esp:	resd 1
.ss:	resd 1
.eax:	resd 1
.ebx:	resd 1
.ecx:	resd 1
.edx:	resd 1
.esi:	resd 1
.edi:	resd 1
.ebp:	resd 1
.ds:	resd 1
.sysexit: resd 1
endstruc

	global enter_user
enter_user:
	pushad
	mov eax, esp
	push eax
	call enter_kernel_stack		; UpdateKernelStack
	pop eax
	mov [resume_esp], esp
	mov ebx, [esp + 36]
	mov ecx, [ebx + user.ecx]
	mov edx, [ebx + user.edx]
	mov esi, [ebx + user.esi]
	mov edi, [ebx + user.edi]
	mov ebp, [ebx + user.ebp]
	cmp dword [ebx + user.sysexit], 0
	jne .sysexit
	push dword [ebx + user.ss]
	push dword [ebx + user.esp]
	push dword [ebx + user.eflags]
	push dword [ebx + user.cs]
	push dword [ebx + user.eip]
	mov eax, [ebx + user.ds]
	mov ds, eax
	mov es, eax
	mov eax, [ss:ebx + user.eax]
	mov ebx, [ss:ebx + user.ebx]
	jmp near RETURN
.sysexit:
	mov ecx, [ebx + user.esp]
	mov edx, [ebx + user.eip]
	mov eax, [ebx + user.ds]
	mov ds, eax
	mov es, eax
	push dword [ss:ebx + user.eflags]
	mov eax, [ss:ebx + user.eax]
	mov ebx, [ss:ebx + user.ebx]
	popfd
	jmp [ss:sysexit_entry]

; ---- IRET in the kernel --------------------------------------------------------

; iret_with(eflags, ds)
	global iret_with
iret_with:
	mov eax, [esp + 4]
	mov ecx, [esp + 8]
	push eax
	push cs
	push .here
	mov ds, ecx
	mov es, ecx
	jmp near RETURN
.here:	pushfd
	pop eax
	cld
	mov ecx, USER_DS
	mov ds, ecx
	mov es, ecx
	ret

; iret_frame(eip, cs, eflags, esp, ss): all five words, whether used or not.
	global iret_frame, frame_esp, iret_through
iret_frame:
	push ebx
	mov ebx, esp
	mov dword [fixup], .after
	mov dword [fixup_vector], -1
	push dword [ebx + 24]
	push dword [ebx + 20]
	push dword [ebx + 16]
	push dword [ebx + 12]
	push dword [ebx + 8]
	mov [frame_esp], esp
	jmp [iret_through]
.after:	mov dword [fixup], 0
	mov esp, ebx
	pop ebx
	ret

; ---- instructions that may fault ------------------------------------------------

; TRY name, instruction: argument in ecx; the vector raised, or -1.
%macro TRY 2+
	global try_%1, at_%1
try_%1:
	mov dword [fixup], %%after
	mov dword [fixup_vector], -1
	mov ecx, [esp + 4]
	mov [try_esp], esp
	mov eax, 1
	xor edx, edx
at_%1:	%2
%%after:	mov dword [fixup], 0
	mov esp, [try_esp]
	mov ecx, USER_DS
	mov ds, ecx
	mov eax, [fixup_vector]
	ret
%endmacro

	TRY load_ds, mov ds, ecx
	TRY load_gs, mov gs, ecx
	TRY divide, div ecx
	TRY ud2, ud2
	TRY int3, int3
	TRY int21, int 0x21
	TRY int80, int 0x80
	TRY fpu, fnop
	TRY rdmsr, rdmsr
	TRY wrmsr, wrmsr
	TRY rdpmc, rdpmc
	TRY write, mov [ecx], eax
	TRY load_ss, mov ss, ecx

; ---- user mode -------------------------------------------------------------------

	global u_begin, u_end
%macro USER 1
	global u_%1
u_%1:
%endmacro

u_begin:
USER syscall
	int 0x80
USER cli
	cli
	int 0x80
USER sti
	sti
	int 0x80
USER hlt
	hlt
	int 0x80
USER in
	in al, 0x80
	int 0x80
USER divide
	xor ecx, ecx
	div ecx
	int 0x80
USER ud2
	ud2
	int 0x80
USER int3
	int3
	int 0x80
USER load_ds
	mov ds, ebx
	int 0x80
USER spin				; until the word at ebx is not eax
	cmp [ebx], eax
	je u_spin
	int 0x80
USER fpu
	fnop
	int 0x80
USER movcr
	mov eax, cr0
	int 0x80
USER lgdt
	lgdt [ebx]
	int 0x80
USER invlpg
	invlpg [ebx]
	int 0x80
USER rdtsc
	rdtsc
	int 0x80
USER call
	call ebx
	int 0x80
USER gs0
	mov gs, ebx
	mov eax, [gs:0]
	int 0x80
USER read
	mov ecx, [ebx]
	int 0x80
USER write
	mov [ebx], eax
	int 0x80
USER bound
	bound eax, [ebx]
	int 0x80
USER popf				; IF off, if POPF could
	push 2
	popfd
	int 0x80
USER int_n				; the vector is patched
	int 0x21
	int 0x80
u_end:

	section .data
iret_through:	dd RETURN

	section .bss nobits alloc write align=4
saved_p:	resd 1
saved_esp:	resd 1
entry:		resd 1
frame_esp:	resd 1
try_esp:	resd 1
