// SPDX-License-Identifier: GPL-2.0-only
/* Linear slots, by which the ROM finds the entry that is meant: VMI-3.4.10. */
#include "conf.h"

#define PTR(p)		((uint32_t)(uintptr_t)(p))

/* An update of the play table by this way to it. */
static void through(void *entry, uint32_t n, const char *name)
{
	set_entry(entry, frame_entry(n), VMI_PAGE_PT);
	flush();
	shows(SetEntry, "3.4.10", TEST_PAGE, n, name);
}

void slots(void)
{
	void *const alias = (uint8_t *)entry_at((void *)(play_va(ALIAS) -
							 LINEAR), TEST_PAGE);
	const uint32_t frame = (PTR(play_entry(0)) - LINEAR) / PAGE;

	through(alias, 1, "an update through no slot");
	for (uint32_t slot = 1; slot < VMI_LINEAR_SLOTS; slot++) {
		vmi4(VMI_CALL_SetLinearMapping, slot, play_va(ALIAS), 1, frame);
		through(alias, 1 + slot, slot == 1 ? "through slot 1" :
			slot == 2 ? "through slot 2" : "through slot 3");
		vmi4(VMI_CALL_SetLinearMapping, slot, 0, 0, 0);
	}
	through(alias, 5, "through a slot that is gone");
	vmi4(VMI_CALL_SetLinearMapping, 1, play_va(ALIAS), 1, frame);
	store(alias, frame_entry(6));
	update(alias, VMI_PAGE_PT);
	vmi1(InvalPage, play_va(TEST_PAGE));
	shows(UpdateEntry, "3.4.10", TEST_PAGE, 6, "UpdatePxE through slot 1");

	/* the slot moves while an update waits: as HIGHPTE does */
	set_entry(alias, frame_entry(7), VMI_PAGE_PT);
	vmi4(VMI_CALL_SetLinearMapping, 1, play_va(ALIAS), 1,
	     PTR(spare_table) / PAGE);
	vmi4(VMI_CALL_SetLinearMapping, 1, play_va(ALIAS), 1, frame);
	flush();
	shows(SetEntry, "3.4.10", TEST_PAGE, 7,
	      "an update counts as it was when made");
	vmi4(VMI_CALL_SetLinearMapping, 1, 0, 0, 0);
	through(play_entry(TEST_PAGE), 8, "through slot 0");
	point_of(VMI_CALL_SetLinearMapping, "3.2.48",
		 stays(play_entry(TEST_PAGE), frame_entry(8)),
		 "SetLinearMapping changes no entry");
	is_of(SetLinearMapping, "3.4.10", probe_read(LINEAR + MAPPED), VEC_PF,
	      "a slot larger than memory maps nothing");
	vmi4(VMI_CALL_SetLinearMapping, 0, LINEAR, MAPPED / PAGE, 0);
	through(play_entry(TEST_PAGE), 9, "through slot 0, set again");
	vmi4(VMI_CALL_SetLinearMapping, 0, LINEAR, 0x34000, 0);
	through((uint8_t *)play_entry(TEST_PAGE) - LINEAR, 10,
		"through another mapping of the table, in no slot");

	/* as above, by the slot that is set once in a kernel's life */
	set_entry(play_entry(TEST_PAGE), frame_entry(1), VMI_PAGE_PT);
	vmi4(VMI_CALL_SetLinearMapping, 0, play_va(ALIAS), 1,
	     PTR(spare_table) / PAGE);
	flush();
	shows(SetEntry, "3.4.10", TEST_PAGE, 1,
	      "an update counts as slot 0 was when it was made");
	vmi4(VMI_CALL_SetLinearMapping, 0, LINEAR, MAPPED / PAGE, 0);
	/* what would follow the end of the address space is its start */
	vmi4(VMI_CALL_SetLinearMapping, 1, 0xf0000000, 0xfffff, 0);
	through(alias, 2, "through no slot, with one that would wrap");
	vmi4(VMI_CALL_SetLinearMapping, 1, 0, 0, 0);
}
