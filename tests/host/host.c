// SPDX-License-Identifier: GPL-2.0-only
/*
 * host.h for tests: memory that was given back is not handed out again, nobody
 * interrupts, time passes when the test says so.
 */
#include <string.h>

#include "machine.h"
#include "testing.h"

/* ---- memory ------------------------------------------------------------- */

static uint64_t next_pa, end_pa, left;

/* ASan's, if it is there; this file may be built without. */
void __attribute__((weak))
__asan_poison_memory_region(const volatile void *, size_t);

void machine_start(uint64_t start, uint64_t bytes)
{
	next_pa = start;
	end_pa = start + bytes;
	left = bytes;
}

uint64_t machine_taken(void)
{
	return next_pa;
}

void *host_pages(uint64_t bytes, uint64_t align)
{
	uint64_t at = (next_pa + MACHINE_GAP + align - 1) & -align;

	CHECK(at + bytes <= end_pa);
	if (__asan_poison_memory_region)
		__asan_poison_memory_region(machine_memory + next_pa,
					    at - next_pa);
	next_pa = at + bytes;
	left -= bytes;
	return memset(machine_memory + at, 0, bytes);
}

void host_pages_free(void *at, uint64_t bytes)
{
	if (!at)
		return;
	if (__asan_poison_memory_region)
		__asan_poison_memory_region(at, bytes);
	left += bytes;
}

uint64_t host_pages_left(void)
{
	return left;
}

/* ---- time and interrupts ------------------------------------------------ */

uint64_t host_tsc_hz = MACHINE_TSC_HZ;
static uint64_t programmed = UINT64_MAX;

uint64_t host_wallclock_ns(void)
{
	return cpu.tsc;
}

void host_timer(uint64_t at)
{
	programmed = at;
}

void host_timer_before(uint64_t at)
{
	if (at < programmed)
		host_timer(at);
}

void host_irq_ack(int irq)
{
	if (irq == IRQ_TIMER)
		programmed = UINT64_MAX;
}

void host_watchdog_start(void)
{
}

uint64_t host_watchdog_next(uint64_t now)
{
	(void)now;
	return UINT64_MAX;
}

uint32_t host_wait(void)
{
	machine_waits();
	return 1u << IRQ_TIMER;
}

void host_interrupted(int irq)
{
	(void)irq;
}

void host_machine_check(void)
{
	CHECK(!"a machine check");
	__builtin_unreachable();
}

uint64_t host_tables(void)
{
	return 0;
}

/* ---- tables ------------------------------------------------------------- */

uint64_t host_tss(void)
{
	static uint8_t tss[HOST_TSS_BYTES];

	return (uintptr_t)tss;
}

void host_exit_stack(uint64_t top)
{
	cpu.exit_stack = top;
}

void host_gdt_loaded(uint16_t cs, uint16_t tss)
{
	cpu.cs = cs;
	cpu.tr = tss;
}

/* ---- bytes -------------------------------------------------------------- */

unsigned int machine_typed, machine_sent;
bool machine_busy;
uint8_t machine_byte;
char machine_line[256];

bool host_console_ready(unsigned int console)
{
	return console || !machine_busy;
}

void host_console_put(unsigned int console, uint8_t byte)
{
	CHECK(host_console_ready(console));
	machine_byte = byte;
	machine_sent++;
}

bool machine_listened;

void host_console_listen(bool on)
{
	machine_listened = on;
}

bool host_console_has_data(void)
{
	return machine_typed;
}

uint8_t host_console_get(void)
{
	CHECK(machine_typed);
	return 'a' + --machine_typed;
}

/* The next line starts over. */
void host_log(char c)
{
	static unsigned int len;

	if (len < sizeof(machine_line) - 1)
		machine_line[len++] = c == '\n' ? 0 : c;
	if (c == '\n')
		len = 0;
}

void host_stats(char c)
{
	(void)c;
}

void host_trace(uint8_t byte)
{
	(void)byte;
}

void host_end(enum end end)
{
	machine_ended(end);
}
