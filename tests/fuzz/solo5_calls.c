// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls of a unikernel: any block anywhere, at any port, while disks and networks
 * do something or nothing and time passes. Nothing below its own memory changes,
 * and what lies around it is poisoned (tests/host). A call is over, waits, or was the
 * unikernel's last.
 */
#include <stdarg.h>
#include <stdlib.h>

#include "fuzz.h"
#include "log.h"
#include "machine.h"
#include "shadow.h"
#include "solo5.h"

#define MB		(1u << 20)
#define MEMORY		(2 * MB)
#define HANDLES		5u
#define BELOW		0x5au

/* ---- what is around it ------------------------------------------------------ */

struct guest *guests[GUESTS_MAX];
uint32_t guest_count;

static struct guest guest;
static struct solo5 solo5;
static struct regs regs;
static bool dead;
static uint8_t *memory, below[SOLO5_BASE];

void sched_charge(struct vcpu *v)
{
	CHECK(v == &guest.vcpu[0]);
}

void vcpu_kill(struct vcpu *v, const char *fmt, ...)
{
	CHECK(v == &guest.vcpu[0] && fmt);
	dead = true;
}

void vcpu_end(struct vcpu *v, enum end end)
{
	CHECK(v == &guest.vcpu[0] && end == END_ORDERLY);
	dead = true;
}

void log_printf(const char *fmt, ...)
{
	(void)fmt;
}

void panic_at(const char *file, int line, const char *fmt, ...)
{
	check_failed(file, line, "%s", fmt);
}

uint32_t copy_fixup(void *dst, const void *src, uint32_t len)
{
	(void)dst, (void)src;
	return len;
}

bool long_read(struct mmu *m, void *dst, gva_t src, uint32_t len)
{
	(void)m, (void)dst, (void)src, (void)len;
	return false;
}

bool long_write(struct mmu *m, gva_t dst, const void *src, uint32_t len)
{
	(void)m, (void)dst, (void)src, (void)len;
	return false;
}

void machine_ended(enum end end)
{
	CHECK_EQ(end, END_ORDERLY);
	abort();
}

void machine_waits(void)
{
	abort();
}

/* ---- steps -------------------------------------------------------------------- */

static void begin(void)
{
	static const enum solo5_type type[HANDLES] = {
		0, SOLO5_BLOCK, SOLO5_NET, SOLO5_BLOCK, SOLO5_NET
	};
	static struct gmem gmem;	/* what is in it does not matter */
	uint32_t i;

	if (!machine_memory) {
		machine_memory = aligned_alloc(2 * MB, 8 * MB);
		machine_start(0x1000, 8 * MB - 0x1000);
		CHECK(gmem_init(&gmem, MEMORY));
		memset(below, BELOW, sizeof(below));
		memcpy(gmem_boot_ram(&gmem), below, sizeof(below));
	}
	memset(&guest, 0, sizeof(guest));
	guest.mm.gmem = gmem;
	memset(&solo5, 0, sizeof(solo5));
	memset(&regs, 0, sizeof(regs));
	memory = gmem_boot_ram(&gmem);
	guest.unikernel = true;
	guest.solo5 = &solo5;
	guest.vcpu[0].g = &guest;
	guest.vcpu[0].regs = &regs;
	guests[0] = &guest;
	guest_count = 1;
	solo5.mem_size = MEMORY;
	solo5.handles = HANDLES;
	for (i = 1; i < HANDLES; i++) {
		solo5.device[i].type = type[i];
		solo5.device[i].nr = i > 2;
		solo5.device[i].capacity = MACHINE_DISK;
		solo5.handle[i] = &solo5.device[i];
	}
	solo5_ports(&guest);
	machine_disk_done(0);
	machine_disk_done(1);
	machine_comes[0].len = machine_comes[1].len = 0;
	machine_busy = machine_net_full = machine_disk_fails = false;
	dead = false;
}

static void call(struct input *in)
{
	uint8_t how = input_u8(in);
	uint32_t nr = how & 15, at, val;
	size_t len;
	const uint8_t *bytes = input_bytes(in, how >> 4 & 7 ? 40 : 4, &len);

	at = SOLO5_BASE + 0x8000 + input_u8(in) * 8;
	memset(memory + at, 0, 40);
	memcpy(memory + at, bytes, len);
	if (how & 128)
		at = input_u32(in);
	if (nr == 15)
		CHECK(bus_read(&guest.bus.ports, SOLO5_PORT + nr, 4, &val) ==
		      BUS_DONE && dead);
	else
		CHECK(bus_write(&guest.bus.ports, SOLO5_PORT + nr, 4, at) ==
		      BUS_DONE);
	CHECK(!solo5.call || (regs.stop == STOP_HALTED && !dead));
	CHECK(nr && nr <= SOLO5_HALT ? true : dead);
}

static void pass(struct input *in)
{
	uint8_t what = input_u8(in);

	machine_busy = what & 1;
	machine_net_full = what & 2;
	machine_disk_fails = what & 4;
	if (what & 8)
		machine_disk_done(what >> 4 & 1);
	if (what & 32)
		machine_comes[what >> 4 & 1].len = input_u16(in) %
						   (HOST_NET_MAX + 1);
	if (what & 64)
		solo5_interrupt();
	if (what & 128)
		cpu.tsc += input_u32(in);
	CHECK(solo5_update(&guest) == UINT64_MAX || solo5.call);
}

void fuzz_one(struct input *in)
{
	begin();
	while (in->left && !dead) {
		regs.stop = STOP_NOT;
		if (solo5.call)
			pass(in);
		else
			call(in);
	}
	CHECK(!memcmp(memory, below, sizeof(below)));
	CHECK(solo5.handles == HANDLES && solo5.mem_size == MEMORY);
}
