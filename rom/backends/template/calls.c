// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls in C: "ANSWER Name, CALL" without an ENTRY in hot.asm calls rom_Name.
 * calls.h has its prototype; the arguments are where VMI-3.1 has them. For
 * example, with
 *
 *	ANSWER SetCR3,	CALL
 *
 * in answers.inc, this would be
 *
 *	void rom_SetCR3(uint32_t value)
 *	{
 *		your_hypercall(YOUR_SET_CR3, value);
 *	}
 *
 * A ROM has no writable data and no libc. What state there is lives in memory
 * that you share with your hypervisor, which must believe none of it.
 */
#include "calls.h"

/*
 * VMI-2.4: the guest asks to enter VMI mode. It runs in the image that the
 * guest found, before anything is mapped at ROM_VIRTUAL_TOP or relocated: no
 * absolute addresses, that is, no global variables and no tables of pointers.
 *
 * Here your hypervisor takes over the guest's tables and control registers as
 * they are loaded, makes the working copy appear, and from now on expects
 * calls. Look first whether your hypervisor is there at all: somebody may put
 * this image into another machine. Any value but 0 sends the guest back to
 * its own instructions, with nothing changed.
 */
int rom_Init(void)
{
	return 0;
}
