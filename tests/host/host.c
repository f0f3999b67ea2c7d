// SPDX-License-Identifier: GPL-2.0-only
/*
 * host.h for tests: memory is handed out from the front to the end, nobody
 * interrupts, time passes when the test says so.
 */
#include <limits.h>
#include <string.h>

#include "machine.h"
#include "testing.h"

/* ---- memory ------------------------------------------------------------- */

static uint64_t first_pa, next_pa, end_pa, left;
static uint64_t touched;	/* nothing was taken from here on since the start */
static uint8_t taken[MACHINE_MAX / MACHINE_GAP];	/* from first_pa on */
unsigned int machine_pages = UINT_MAX;

/* ASan's, if it is there; this file may be built without. */
void __attribute__((weak))
__asan_poison_memory_region(const volatile void *, size_t);
void __attribute__((weak))
__asan_unpoison_memory_region(const volatile void *, size_t);
int __attribute__((weak)) __asan_address_is_poisoned(const volatile void *);

static void poison(uint64_t start, uint64_t end)
{
	if (__asan_poison_memory_region)
		__asan_poison_memory_region(machine_memory + start,
					    end - start);
}

static bool is_poisoned(uint64_t at)
{
	return !__asan_address_is_poisoned ||
	       __asan_address_is_poisoned(machine_memory + at);
}

static void set_taken(uint64_t start, uint64_t bytes, bool is)
{
	uint64_t i = (start - first_pa) / MACHINE_GAP;
	uint64_t end = i + (bytes + MACHINE_GAP - 1) / MACHINE_GAP;

	for (; i < end; i++) {
		CHECK(taken[i] != is);
		taken[i] = is;
	}
}

void machine_start(uint64_t start, uint64_t bytes)
{
	CHECK(start % MACHINE_GAP == 0 && bytes <= MACHINE_MAX);
	/* Clear all of it only once: it takes longer than a fuzz target. */
	if (start != first_pa || start + bytes != end_pa ||
	    !is_poisoned(end_pa - 1))
		touched = start + bytes;
	memset(taken, 0, (touched - start + MACHINE_GAP - 1) / MACHINE_GAP);
	poison(start, touched);
	first_pa = next_pa = touched = start;
	end_pa = start + bytes;
	left = bytes;
	machine_timer = UINT64_MAX;
}

uint64_t machine_taken(void)
{
	return next_pa;
}

void *host_pages(uint64_t bytes, uint64_t align)
{
	uint64_t at = (next_pa + MACHINE_GAP + align - 1) & -align;

	if (!machine_pages || at + bytes > end_pa)
		return NULL;
	machine_pages--;
	set_taken(at, bytes, true);
	next_pa = at + bytes;
	if (touched < next_pa)
		touched = next_pa;
	left -= bytes;
	if (__asan_unpoison_memory_region)
		__asan_unpoison_memory_region(machine_memory + at, bytes);
	return memset(machine_memory + at, 0, bytes);
}

/* The end of what is taken is free again, the rest not before. */
void host_pages_free(void *at, uint64_t bytes)
{
	uint64_t i;

	if (!at)
		return;
	set_taken(host_pa(at), bytes, false);
	left += bytes;
	poison(host_pa(at), host_pa(at) + bytes);
	for (i = (next_pa - first_pa + MACHINE_GAP - 1) / MACHINE_GAP;
	     i && !taken[i - 1]; i--)
		next_pa = first_pa + (i - 1) * MACHINE_GAP;
}

uint64_t host_pages_left(void)
{
	return left;
}

/* ---- time and interrupts ------------------------------------------------ */

uint64_t host_tsc_hz = MACHINE_TSC_HZ;
uint64_t machine_timer = UINT64_MAX;

uint64_t host_wallclock_ns(void)
{
	return cpu.tsc;
}

void host_timer(uint64_t at)
{
	machine_timer = at;
}

void host_timer_before(uint64_t at)
{
	if (at < machine_timer)
		host_timer(at);
}

void host_irq_ack(int irq)
{
	if (irq == IRQ_TIMER)
		machine_timer = UINT64_MAX;
}

bool host_is_tcg(void)
{
	return true;
}

void host_watchdog_start(void)
{
}

uint32_t host_cpus = 1;
uint32_t machine_kicks;

/* Nobody runs there. */
void host_start(void (*run)(void))
{
	(void)run;
}

void host_kick(uint32_t to)
{
	CHECK(to < host_cpus);
	machine_kicks |= 1u << to;
}

void host_stop_others(void)
{
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

void host_idt_step(void)
{
}

void host_idt_load(void)
{
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

/* ---- disks and networks --------------------------------------------------- */

uint32_t host_disks = 2, host_nets = 2;
uint8_t machine_disk[2][MACHINE_DISK];
bool machine_disk_fails;
unsigned int machine_disk_starts;
struct machine_frame machine_comes[2], machine_goes[2];
bool machine_net_full;

static struct {
	uint8_t		buffer[HOST_DISK_MAX];
	uint64_t	at;
	uint32_t	bytes;		/* 0: idle */
	bool		write, failed;
} disk_state[2];

uint64_t host_disk_bytes(uint32_t disk)
{
	CHECK(disk < host_disks);
	return MACHINE_DISK;
}

void *host_disk_buffer(uint32_t disk)
{
	CHECK(disk < host_disks);
	return disk_state[disk].buffer;
}

void host_disk_start(uint32_t disk, bool is_write, uint64_t at, uint32_t bytes)
{
	CHECK(disk < host_disks && !disk_state[disk].bytes);
	CHECK(bytes && bytes <= HOST_DISK_MAX && bytes % 512 == 0);
	CHECK(at % 512 == 0 && at <= MACHINE_DISK && bytes <= MACHINE_DISK - at);
	disk_state[disk].at = at;
	disk_state[disk].bytes = bytes;
	disk_state[disk].write = is_write;
	machine_disk_starts++;
}

bool machine_disk_done(uint32_t disk)
{
	uint8_t *at = machine_disk[disk] + disk_state[disk].at;
	uint32_t bytes = disk_state[disk].bytes;

	disk_state[disk].bytes = 0;
	disk_state[disk].failed = machine_disk_fails;
	if (machine_disk_fails)
		return bytes;
	if (disk_state[disk].write)
		memcpy(at, disk_state[disk].buffer, bytes);
	else
		memcpy(disk_state[disk].buffer, at, bytes);
	return bytes;
}

enum host_disk host_disk_state(uint32_t disk)
{
	CHECK(disk < host_disks);
	return disk_state[disk].bytes ? HOST_DISK_BUSY :
	       disk_state[disk].failed ? HOST_DISK_FAILED : HOST_DISK_IDLE;
}

void host_net_mac(uint32_t net, uint8_t mac[6])
{
	CHECK(net < host_nets);
	memcpy(mac, "\2\0\0\0\0", 5);
	mac[5] = net;
}

bool host_net_waits(uint32_t net)
{
	CHECK(net < host_nets);
	return machine_comes[net].len;
}

uint32_t host_net_get(uint32_t net, void *frame)
{
	uint32_t len;

	CHECK(net < host_nets);
	len = machine_comes[net].len;
	memcpy(frame, machine_comes[net].data, len);
	machine_comes[net].len = 0;
	return len;
}

bool host_net_put(uint32_t net, const void *frame, uint32_t bytes)
{
	CHECK(net < host_nets && bytes <= HOST_NET_MAX);
	if (machine_net_full)
		return false;
	memcpy(machine_goes[net].data, frame, bytes);
	machine_goes[net].len = bytes;
	return true;
}

/* ---- channels --------------------------------------------------------------- */

uint32_t host_channels = 2;
struct machine_channel machine_channel[2];

bool host_channel_waits(uint32_t channel)
{
	CHECK(channel < host_channels);
	return machine_channel[channel].left;
}

uint32_t host_channel_get(uint32_t channel, void *to, uint32_t max)
{
	struct machine_channel *c = &machine_channel[channel];
	uint32_t n = c->left < max ? c->left : max;

	CHECK(channel < host_channels);
	memcpy(to, c->comes, n);
	c->comes += n;
	c->left -= n;
	return n;
}

uint32_t host_channel_room(uint32_t channel)
{
	CHECK(channel < host_channels);
	return machine_channel[channel].full ? 0 : 31;
}

bool host_channel_put(uint32_t channel, const void *data, uint32_t bytes)
{
	struct machine_channel *c = &machine_channel[channel];

	CHECK(channel < host_channels && bytes <= HOST_CHANNEL_MAX);
	if (c->full || c->went + bytes > sizeof(c->goes))
		return false;
	memcpy(c->goes + c->went, data, bytes);
	c->went += bytes;
	return true;
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
