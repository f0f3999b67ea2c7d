// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls in C: "ANSWER Name, CALL" without an ENTRY in hot.asm calls rom_Name.
 * calls64.h has its prototype; the arguments are where VMI64-3.1 has them. A ROM
 * has no writable data and no libc: rom/backends/template says more.
 */
#include "calls64.h"

/*
 * VMI64-2.4: the guest asks to enter VMI mode, in the image that it found, before
 * anything is mapped at ROM_VIRTUAL_TOP: no global variables here. Look first
 * whether your hypervisor is there at all. Any value but 0 sends the guest back
 * to its own instructions, with nothing changed.
 */
int rom_Init(void)
{
	return 0;
}
