// SPDX-License-Identifier: GPL-2.0-only
/* The order of the old client's life. */
#include "client.h"

void client_main(void);

static uint32_t done[CHECK_COUNT], failed[CHECK_COUNT];

void check_done(uint32_t number, uint32_t good)
{
	done[number]++;
	failed[number] += !good;
}

static void checks(void)
{
	static const char *const names[] = {
#define NAME(name, text)	text,
		CHECKS(NAME)
#undef NAME
	};

	for (uint32_t i = 0; i < CHECK_COUNT; i++) {
		if ((i == CHECK_VM86 && !kernel_rpl) ||
		    (i == CHECK_NX_DATA && !(pae && nx))) {
			print("# not here: %s\n", names[i]);
			continue;
		}
		if (!ok(done[i] && !failed[i], names[i]))
			print("# %u times, %u failed\n", done[i], failed[i]);
	}
}

void client_main(void)
{
	uint32_t queries, pages, before;

	op_iret = (uintptr_t)native_iret;
	op_sysexit = (uintptr_t)native_sysexit;
	native_fill();
	early_idt();
	init_mm.root = pae ? boot_pdpt : boot_directory;
	for (uint32_t q = 0; pae && q < 4; q++)
		init_mm.pmd[q] = boot_directory + q * PAGE;
	if (!ok(client_find_rom(), "the scan finds a ROM"))
		pc_reset();
	setup_before_init();
	if (!ok(client_activate(), "VMI_Init answers 0"))
		pc_reset();
	queries = ops_queried();
	setup_arch();
	trap_init();
	mem_init();
	init_irq();
	timer_init();
	patch_sites();			/* check_bugs */
	ok(ops_queried() > queries, "get-relocation is asked again in VMI mode");
	timer_switch_to_lvtt();

	pages = frames_in_use();
	before = ticks;
	run_tasks();
	checks();
	same(bad_irets, kernel_rpl ? 4 : 3, "bad returns that became signals");
	ok(ticks > before, "the clock ticks");
	same(frames_in_use(), pages + 2, "no page is lost");
	tap_end();
	pc_reset();
}
