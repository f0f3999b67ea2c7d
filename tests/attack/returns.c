// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames for user mode that the hypervisor returns by itself, since the ROM's
 * IRET has found an interrupt pending: it checks the selectors as IRET does.
 * VMI-3.6.4: a refusal is a #GP of the selector at the place that jumped to the
 * ROM, in the kernel, with the flag off.
 */
#include "attack.h"

_Static_assert(STUB_HC_IRET == 4, "as in enter.asm");

static uint32_t stack[512];

/* A frame to user mode, below which is EAX, as hc_iret has it. */
static uint32_t *frame_to(uint32_t cs, uint32_t eflags, uint32_t ss)
{
	uint32_t *frame = stack + 512 - 6;

	frame[0] = 0;
	frame[1] = play(U_CODE);
	frame[2] = cs;
	frame[3] = eflags;
	frame[4] = play(U_STACK) + PAGE;
	frame[5] = ss;
	return frame;
}

/* Refused as it should be? */
static bool refused(uint32_t cs, uint32_t ss, uint32_t bad)
{
	uint32_t *frame = frame_to(cs, EFLAGS_IF | 2, ss);
	int vector;

	vmi0(DisableInterrupts);
	vector = iret_from((uintptr_t)frame, (uintptr_t)hc_iret);
	fixup = 0;
	return vector == VEC_GP && last_trap.error == (bad & 0xfffc) &&
	       last_trap.eip == (uintptr_t)iret_site + LINEAR &&
	       (last_trap.cs & 3) == 1 && !(last_mask & EFLAGS_IF);
}

static void hc_iret_selectors(uint32_t of_ss)
{
	uint32_t wrong = 0;

	vmi2(UpdateKernelStack, KERNEL_DS, (uintptr_t)(spare_table + 1024));
	pages[U_CODE][0] = 0xcd;
	pages[U_CODE][1] = VEC_SYSCALL;
	ok(!refused(USER_CS, USER_DS, 0) && last_trap.vector == VEC_SYSCALL,
	   "a good frame returns");
	for (uint32_t sel = 0; sel < 0x10000;
	     sel += sel < 0x200 || (sel >= 0xff0 && sel < 0x1060) ? 1 : 61) {
		if (sel == USER_CS || sel == USER_DS)
			continue;
		if (!of_ss && (sel & ~3u) == KERNEL_CS)
			continue;	/* to the kernel */
		if (of_ss ? !refused(USER_CS, sel, sel) :
			    !refused(sel, USER_DS, sel & 3 ? sel : sel | 1)) {
			if (!wrong++)
				print("# %x: vector %u error %x eip %x\n", sel,
				      last_trap.vector, last_trap.error,
				      last_trap.eip);
		}
	}
	wrong += of_ss ? !refused(USER_CS, USER_CS, USER_CS) :
			 !refused(USER_DS, USER_DS, USER_DS);
	same(wrong, 0, "each other selector is refused");
}

/* Of the flags it takes what the ROM's IRET does: not IOPL, VIF and VIP, which
 * ring 1 cannot load. */
static void hc_iret_flags(uint32_t arg)
{
	const uint32_t own = 0x244202;		/* ID, AC, NT, IF */
	uint32_t *frame;

	(void)arg;
	vmi2(UpdateKernelStack, KERNEL_DS, (uintptr_t)(spare_table + 1024));
	pages[U_CODE][0] = 0xcd;
	pages[U_CODE][1] = VEC_SYSCALL;
	for (uint32_t i = 0; i < 2; i++) {
		frame = frame_to(USER_CS, own | 0x183000, USER_DS);
		vmi0(DisableInterrupts);
		if (i)
			iret_from((uintptr_t)frame, (uintptr_t)hc_iret);
		else
			iret_from((uintptr_t)(frame + 1),
				  vmi_entry[VMI_CALL_IRET]);
		fixup = 0;
		same(last_trap.eflags, own, i ? "the hypervisor" : "the ROM");
	}
}

const struct attack return_cases[] = {
	CASE_ARG("hc_iret_cs", hc_iret_selectors, 0),
	CASE_ARG("hc_iret_ss", hc_iret_selectors, 1),
	CASE(hc_iret_flags),
	CASES_END
};
