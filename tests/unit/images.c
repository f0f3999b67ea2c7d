// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>

#include "images.h"
#include "kernel.h"
#include "machine.h"

#define MACHINE_BYTES	(64u << 20)
#define ROM_FILE	"build/rom/stub.rom"

const uint8_t images_code[4] = { OUT, OUT, OUT, OUT };
struct guest_config config[GUESTS];
uint64_t images_left;

int images_load(void **state)
{
	static const struct kernel kernel = KERNEL(OUT, OUT, OUT, OUT);
	static uint8_t rom[STUB_ROM_MAX];
	FILE *f = fopen(ROM_FILE, "rb");
	size_t size;
	uint32_t i;

	(void)state;
	assert_non_null(f);
	size = fread(rom, 1, sizeof(rom), f);
	fclose(f);
	for (i = 0; i < GUESTS; i++)
		config[i] = (struct guest_config){
			.name = i ? "guest 2" : "guest 1",
			.kernel = { "kernel", (const void *)&kernel,
				    sizeof(kernel) },
			.rom = { ROM_FILE, rom, size },
			.memory = 4,
			.cpus = 1,
			.shares = GUEST_SHARES,
			.pin = UINT32_MAX,
		};
	machine_memory = aligned_alloc(2u << 20, MACHINE_BYTES);
	return 0;
}

int images_setup(void **state)
{
	uint32_t i;

	(void)state;
	machine_start(0x1000, MACHINE_BYTES - 0x1000);
	memset(machine_memory, 0, 0x1000);	/* host_tables() */
	images_left = host_pages_left();
	machine_pages = UINT32_MAX;
	cpu.cr3 = host_tables();
	guest_count = 0;
	for (i = 0; i < GUESTS; i++)
		config[i].starts = 1;
	return 0;
}

int images_free(void **state)
{
	uint32_t i;

	(void)state;
	cr_unload();
	for (i = 0; i < guest_count; i++) {
		guest_release(guests[i]);
		host_pages_free(guests[i], sizeof(*guests[i]));
	}
	assert_int_equal(host_pages_left(), images_left);
	return 0;
}

struct guest *images_guest(uint32_t n)
{
	char error[GUEST_ERROR_MAX];

	if (!guest_create(&config[n], error))
		fail_msg("%s", error);
	assert_int_equal(guest_count, n + 1);
	return guests[n];
}

void images_begin(struct vcpu *v)
{
	current = v;
	cr_load(v);
	vcpu_start(v);
}
